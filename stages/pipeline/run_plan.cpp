#include "stages/pipeline/run_plan.h"

#include <utility>

#include "core/base/error.h"
#include "core/model/pretrained/held_blocks.h"
#include "distributed/planner/machine_presets.h"
#include "stages/pipeline/stage_table.h"

namespace xkde::recipe {
namespace {

dist::PlanRequest request_for(const Recipe& recipe, const PretrainedModel& model,
                              const Decoder& decoder, const TrainWorkload& workload,
                              const RunPlace& place) {
  dist::PlanRequest request;
  request.model = dist::shape_of(decoder, recipe.stages[workload.stage]->adapter());
  if (recipe.frozen_form() != FrozenForm::kDtype) {
    dist::hold_in_blocks(request.model, decoder, scalar_type(recipe.model.dtype),
                         [&](const std::string& name) {
                           return held_blocks(*model.weights, name, recipe.frozen_form());
                         });
  }
  request.ranks = place.ranks;
  request.options = engine_options(recipe, place.ranks, place.device);
  request.shard = recipe.parallel.shard;
  request.recompute = recipe.parallel.recompute;
  request.largest = workload.largest;
  request.work = workload.work;
  request.machine = place.machine;
  request.memory = dist::memory_constants(place.device.type(), scalar_type(recipe.model.dtype));
  request.memory.saves_async = workload.saves_async;
  request.memory.optimizer = workload.optimizer;
  request.available_bytes = place.bytes;
  request.pack_key = concat(recipe.stages.at(workload.stage)->name(), ".max_tokens_per_pack");
  return request;
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): all that is known before a run
std::optional<RunPlan> plan_run(const Recipe& recipe, const PretrainedModel& model,
                                const ChatTemplate& chat_template, const Decoder& decoder,
                                const RunPlace& place, RunData& data, const Artifacts& artifacts) {
  std::optional<RunPlan> largest;
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    const Stage& stage = *recipe.stages[i];
    const StageRunner& runner = runner_of(stage);
    if (runner.survey == nullptr) continue;
    RunPlan run;
    run.workload = runner.survey(stage, {recipe, i, model, chat_template, place, artifacts, data});
    run.request = request_for(recipe, model, decoder, run.workload, place);
    run.plan = dist::choose_plan(run.request);
    if (!largest || run.plan.memory.peak() > largest->plan.memory.peak()) largest = std::move(run);
  }
  return largest;
}

std::vector<AskPlan> plan_asking(const Recipe& recipe, const PretrainedModel& model,
                                 const ChatTemplate& chat_template, const RunPlace& place,
                                 const dist::EngineOptions& options, RunData& data) {
  std::vector<AskPlan> plans;
  const Artifacts none;
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    const Stage& stage = *recipe.stages[i];
    const StageRunner& runner = runner_of(stage);
    if (runner.memory == nullptr) continue;
    const SurveyInputs inputs{recipe, i, model, chat_template, place, none, data};
    plans.push_back({i, runner.memory_title, runner.memory(stage, inputs, options)});
    const int64_t needed = plans.back().memory.peak();
    XKDE_CHECK(needed <= place.bytes, ConfigError, recipe.origin.place_of(concat("stages.", i)),
               ": ", stage.name(), ": a rank needs ", needed, " bytes (",
               dist::in_gigabytes(needed), "), available are ", place.bytes, " (",
               dist::in_gigabytes(place.bytes), "); what would help: ", runner.lighter,
               plans.back().memory.judge ? ", a smaller judge" : "", ", or fewer ranks on a host");
  }
  return plans;
}

}  // namespace xkde::recipe
