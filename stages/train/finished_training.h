#ifndef XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
#define XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_

#include <filesystem>

#include "stages/run/run_context.h"

namespace xkde::recipe {

/// Gives the context the weights that a finished training stage left in its `folder`: those of the
/// newest checkpoint that verifies or, with `ends_with_best`, of the best one where there is one.
/// Where the weights are needed and there is none, that throws CheckpointError. Collective.
void restore_training(const std::filesystem::path& folder, bool ends_with_best,
                      RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
