#ifndef XKDE_STAGES_EXPORT_STAGE_H_
#define XKDE_STAGES_EXPORT_STAGE_H_

#include <filesystem>

#include "stages/export/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Of the edit memory in an exported folder, which `xkde_dist ask` finds there.
inline constexpr const char* kExportedMemory = "edit_memory.h5";

/// Of the model in an exported folder, where its format is GGUF.
inline constexpr const char* kExportedGguf = "model.gguf";

/// Throws ConfigError where the stage is to write a GGUF file and none describes the model.
void check_export_of_model(const ExportStage& stage, const PretrainedModel& model,
                           const ChatTemplate& chat_template);

/// Writes `path`, a GGUF file of the run's model with its tokenizer, chat template and end tokens.
/// `weights` gives each tensor. Throws as export_gguf(). Called on rank 0.
void write_gguf(const std::filesystem::path& path, GgufType type, const dist::ReadTensor& weights,
                RunContext& context);

/// Writes the model with its present weights as a Hugging Face folder or a folder with a GGUF file,
/// and the stage's edit memory beside them; its adapter as a PEFT folder. Each has a model card
/// about the run, in whose folder `folder` is this stage's. It takes the place of an
/// earlier export of the same weights when it is whole (FreshFolder). Throws ConfigError where
/// anything else is at `stage.path`. Collective.
void run_export(const ExportStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Throws ConfigError where the stages above leave no adapter that `stage.adapter` could have.
void check_export(const ExportStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EXPORT_STAGE_H_
