#ifndef XKDE_RECIPES_STAGES_BUILD_DATA_STAGE_H_
#define XKDE_RECIPES_STAGES_BUILD_DATA_STAGE_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "recipes/stages/run_context.h"

namespace xkde::recipe {

/// The name of the file that a build_data stage leaves in its folder: XE-IT samples (protocol 1.5).
inline constexpr const char* kTrainFile = "train.json";

struct BuiltData {
  std::vector<Conversation> conversations;
  int64_t removed_test_questions = 0;
};
/// The samples of a build_data stage of `recipe`. Throws DataError when there are none.
BuiltData build_data(const BuildDataStage& stage, const Recipe& recipe);

/// Turns parallel edits into XE-IT samples. Questions that any evaluate stage of the recipe asks
/// are left out. Only rank 0 works and writes.
void run_build_data(const BuildDataStage& stage, const std::filesystem::path& folder,
                    RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_RECIPES_STAGES_BUILD_DATA_STAGE_H_
