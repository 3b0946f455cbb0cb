#ifndef XKDE_STAGES_COVARIANCE_STAGE_H_
#define XKDE_STAGES_COVARIANCE_STAGE_H_

#include <filesystem>

#include "distributed/planner/ask_memory.h"
#include "stages/covariance/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// The second moments (core/editing/moments/covariance_file.h).
inline constexpr const char* kCovarianceFile = "covariance.h5";

/// Goes through the texts on all ranks and leaves kCovarianceFile and statistics.json, which says
/// how far the moments still moved, in `folder`. A run that was stopped or killed goes on from the
/// last sums that it saved. Sums are the same on any number of ranks up to the order in which
/// doubles are added. Collective. Throws StopRequested and DataError.
void run_covariance(const CovarianceStage& stage, const std::filesystem::path& folder,
                    RunContext& context);

/// What rank 0 holds, which has most. `options` are those of the run. Throws as check_covariance().
dist::AskMemory covariance_memory(const CovarianceStage& stage, const SurveyInputs& inputs,
                                  const dist::EngineOptions& options);

/// Throws where the stage could not begin: a layer or module that the model has not.
void check_covariance(const CovarianceStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_COVARIANCE_STAGE_H_
