#ifndef XKDE_STAGES_BUILD_DATA_STAGE_H_
#define XKDE_STAGES_BUILD_DATA_STAGE_H_

#include <filesystem>

#include "stages/build_data/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// The name of the file that a build_data stage leaves in its folder: XE-IT samples (protocol 1.5).
inline constexpr const char* kTrainFile = "train.json";

/// Turns edits into XE-IT samples. Questions that `exclude` names or any evaluate stage of the
/// recipe asks are left out. Only rank 0 works and writes.
void run_build_data(const BuildDataStage& stage, const std::filesystem::path& folder,
                    RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_BUILD_DATA_STAGE_H_
