#ifndef XKDE_STAGES_PIPELINE_RUN_PLAN_H_
#define XKDE_STAGES_PIPELINE_RUN_PLAN_H_

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "distributed/planner/planner.h"
#include "stages/evaluate/memory.h"
#include "stages/recipe/recipe.h"
#include "stages/run/artifacts.h"
#include "stages/run/run_data.h"
#include "stages/run/run_place.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// How the run will train, and for which stage that was decided: the one that needs most memory.
struct RunPlan {
  dist::PlanRequest request;
  dist::Plan plan;
  TrainWorkload workload;
};
/// Plans for every training stage of the recipe, finished or not, so that the plan is the same at
/// every start. `artifacts` spares work where stages are finished; what
/// is built anyway stays in `data`. Nothing where no stage trains.
/// Throws ConfigError where a training stage does not fit (dist::choose_plan).
std::optional<RunPlan> plan_run(const Recipe& recipe, const PretrainedModel& model,
                                const ChatTemplate& chat_template, const Decoder& decoder,
                                const RunPlace& place, RunData& data,
                                const Artifacts& artifacts = {});

/// What a stage that asks or edits the model makes a rank hold.
struct AskPlan {
  size_t stage = 0;        ///< its index in the recipe
  std::string_view title;  ///< StageRunner::memory_title
  EvalMemory memory;
};
/// Those of the recipe, as far as is known before it runs. `options` are those of its run. Throws
/// what the stages would throw, and ConfigError where one does not fit.
std::vector<AskPlan> plan_asking(const Recipe& recipe, const PretrainedModel& model,
                                 const ChatTemplate& chat_template, const RunPlace& place,
                                 const dist::EngineOptions& options, RunData& data);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_RUN_PLAN_H_
