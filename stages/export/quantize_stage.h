#ifndef XKDE_STAGES_EXPORT_QUANTIZE_STAGE_H_
#define XKDE_STAGES_EXPORT_QUANTIZE_STAGE_H_

#include <filesystem>

#include "stages/export/quantize_keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// Throws ConfigError where no GGUF file of the stage's type describes the model.
void check_quantize(const QuantizeStage& stage, const PretrainedModel& model,
                    const ChatTemplate& chat_template);

/// Writes kExportedGguf into `folder`, the model with its present weights, an adapter merged in,
/// and gives the context the weights that the file holds. Throws as export_gguf(). Collective.
void run_quantize(const QuantizeStage& stage, const std::filesystem::path& folder,
                  RunContext& context);

/// Gives the context the weights that a finished stage left in its `folder`. Collective.
void restore_quantize(const QuantizeStage& stage, const std::filesystem::path& folder,
                      RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_QUANTIZE_STAGE_H_
