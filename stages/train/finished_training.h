#ifndef XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
#define XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_

#include <filesystem>
#include <optional>

#include "stages/run/run_context.h"

namespace xkde::recipe {

/// Gives the context the weights, or the adapter of `lora`, that a finished training stage left in
/// its `folder`: those of the newest checkpoint that verifies or, with `ends_with_best`, of the
/// best one where there is one. Where the weights are needed and there is none, that throws
/// CheckpointError. `has`: the context's model holds them already. Collective.
void restore_training(const std::filesystem::path& folder, bool ends_with_best,
                      const std::optional<LoraOptions>& lora, RunContext& context,
                      bool has = false);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
