#ifndef XKDE_STAGES_PIPELINE_RUN_PLAN_H_
#define XKDE_STAGES_PIPELINE_RUN_PLAN_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data/sft_sample.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "distributed/planner/planner.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// Where a run is to happen, as its plan sees it.
struct RunPlace {
  int ranks = 1;
  int ranks_on_host = 1;
  int threads = 1;  ///< of a rank
  at::Device device = at::kCPU;
  int64_t bytes = 0;  ///< that a rank may use of the device's memory
  dist::MachineConstants machine{};
};
/// The place of a rank that runs now, on this host, on `device`. Machine constants are nominal, so
/// that a plan is the same at every start.
RunPlace this_place(int ranks, int ranks_on_host, at::Device device, at::ScalarType compute_dtype);
/// `ranks` GPUs of a machine_preset.
RunPlace preset_place(int ranks, const std::string& preset, at::ScalarType compute_dtype);

/// What the recipe says of the engine; where it says auto, "grads" and "none". Throws ConfigError
/// where parallel.replicate does not divide the ranks.
dist::EngineOptions engine_options(const Recipe& recipe, int ranks, at::Device device);

/// What a training stage asks of a rank, found by laying out its first steps.
struct TrainWorkload {
  size_t stage = 0;  ///< its index in the recipe
  int64_t samples = 0;
  int64_t steps = 0;
  double tokens = 0.0;           ///< of a step, sequences laid out one by one, all ranks
  double computed_tokens = 0.0;  ///< rows that are computed, all ranks
  dist::PackShape largest;       ///< of any rank
  PackedBatch example;           ///< a pack of the first step, in host memory
  dist::StepWork work;           ///< of the rank that has most to do, mean over steps
};
TrainWorkload survey_training(const Recipe& recipe, size_t stage, const PretrainedModel& model,
                              const ChatTemplate& chat_template, const RunPlace& place);

/// The same for an orpo stage, whose pairs are not there yet: from prompts and answers of a usual
/// length.
TrainWorkload survey_preferences(const Recipe& recipe, size_t stage, const RunPlace& place);

/// How the run will train, and for which stage that was decided: the one that needs most memory.
/// Nothing where no stage trains.
struct RunPlan {
  dist::PlanRequest request;
  dist::Plan plan;
  TrainWorkload workload;
};
/// Throws ConfigError where a training stage does not fit (dist::choose_plan).
std::optional<RunPlan> plan_run(const Recipe& recipe, const PretrainedModel& model,
                                const ChatTemplate& chat_template, const Decoder& decoder,
                                const RunPlace& place);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PIPELINE_RUN_PLAN_H_
