#ifndef XKDE_STAGES_TRAIN_SFT_STAGE_H_
#define XKDE_STAGES_TRAIN_SFT_STAGE_H_

#include <filesystem>

#include "stages/run/run_context.h"
#include "stages/train/sft_keys.h"

namespace xkde::recipe {

/// XE-IT: full-parameter tuning on parallel edits (protocol 4.1). Writes metrics.jsonl and
/// checkpoints/ into `folder`, goes on from the newest checkpoint there, and leaves the tuned
/// weights in the context's model. Collective. Throws NumericError when the loss or the gradient
/// norm is not finite.
void run_sft(const SftStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Gives the context the weights that a finished stage left (restore_training). Collective.
void restore_sft(const SftStage& stage, const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_SFT_STAGE_H_
