#ifndef XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
#define XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_

#include <filesystem>
#include <optional>

#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The checkpoint that a finished training stage ended with, verified: its best one where it ends
/// with that, else its newest. `folder` is the stage's. Throws CheckpointError.
std::filesystem::path finished_checkpoint(const Stage& stage, const std::filesystem::path& folder);

/// That of the last training stage of a recipe, none where it has no such stage. Throws
/// MissingInputError when the stage has not been run to its end.
std::optional<std::filesystem::path> last_checkpoint(const Recipe& recipe);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_FINISHED_TRAINING_H_
