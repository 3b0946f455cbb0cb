#include "launch/estimate.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string_view>
#include <thread>
#include <variant>

#include <ATen/Parallel.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "distributed/planner/machine_presets.h"
#include "distributed/planner/machine_probe.h"
#include "stages/pipeline/run_plan.h"
#include "stages/recipe/recipe.h"
#include "stages/run/run_folder.h"

namespace xkde {
namespace {

using recipe::RunPlace;
using recipe::RunPlan;

template <typename... Values>
std::string line(const char* format, Values... values) {
  char text[256];
  std::snprintf(text, sizeof text, format, values...);
  std::string result = text;
  result.push_back('\n');
  return result;
}

std::string in_time(double seconds) {
  if (seconds < 1.0) return concat(static_cast<int64_t>(1e3 * seconds + 0.5), " ms");
  char text[32];
  std::snprintf(text, sizeof text, seconds < 600.0 ? "%.2f s" : "%.0f s", seconds);
  return text;
}

double in_millions(int64_t count) { return 1e-6 * static_cast<double>(count); }

std::string model_text(const recipe::Recipe& recipe, const Decoder& decoder) {
  const dist::ModelShape shape = dist::shape_of(decoder);
  return line("model    %s", recipe.model.model_name_or_path.c_str()) +
         line("         %.1f million parameters in %zu units: embedding, %ld blocks, head%s",
              in_millions(shape.parameters()), decoder.units().size(),
              static_cast<long>(shape.layers),
              decoder.tied() ? " (its matrix is the embedding)" : "");
}

std::string stages_text(const recipe::Recipe& recipe, const RunPlan& run) {
  std::string text = "stages  ";
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    text += concat(' ', recipe::stage_folder_name(i, recipe::stage_name(recipe.stages[i])));
  }
  const recipe::TrainWorkload& work = run.workload;
  text.push_back('\n');
  return text +
         line("training %s: %ld samples, %ld steps",
              recipe::stage_folder_name(work.stage, "sft").c_str(), static_cast<long>(work.samples),
              static_cast<long>(work.steps)) +
         line("         a step has %.0f tokens, of which %.0f are computed (common prefixes once)",
              work.tokens, work.computed_tokens) +
         line("         a rank's largest pack: %ld rows, %ld labels",
              static_cast<long>(work.largest.tokens), static_cast<long>(work.largest.labels));
}

std::string layout_text(const RunPlan& run) {
  const dist::EngineOptions& options = run.plan.options;
  const int shards = options.num_shards(run.request.ranks);
  return line("layout   %d shards x %d copies; a rank's shard has %.1f million parameters", shards,
              run.request.ranks / shards,
              in_millions(dist::state_numel(run.request.model, shards))) +
         line("plan     shard %s, recompute %s (%s)", std::string(options.policy().name).c_str(),
              std::string(name_of(dist::kRecomputeNames, options.recompute)).c_str(),
              run.plan.reason.c_str());
}

std::string memory_text(const RunPlan& run) {
  std::string text = line("memory   %s a rank at its peak, %s available",
                          dist::in_gigabytes(run.plan.memory.peak()).c_str(),
                          dist::in_gigabytes(run.request.available_bytes).c_str());
  for (const auto& [name, bytes] : run.plan.memory.items()) {
    if (bytes > 0) {
      text +=
          line("         %-16s %10s", std::string(name).c_str(), dist::in_gigabytes(bytes).c_str());
    }
  }
  return text;
}

std::string time_text(const RunPlan& run, const dist::StepSeconds& seconds,
                      const std::string& source) {
  std::string text =
      line("time     %s a step, %.0f tokens/s (%s)", in_time(seconds.total()).c_str(),
           run.workload.tokens / seconds.total(), source.c_str());
  for (const auto& [name, part] : seconds.items()) {
    if (part > 0) {
      text += line("         %-16s %9.1f %%", std::string(name).c_str(),
                   100.0 * part / seconds.total());
    }
  }
  return text + line("         %ld steps take %s", static_cast<long>(run.workload.steps),
                     in_time(seconds.total() * static_cast<double>(run.workload.steps)).c_str());
}

RunPlace place_of(const recipe::Recipe& recipe, int ranks, const std::string& machine) {
  const at::ScalarType dtype = recipe.model.dtype == "float32" ? at::kFloat : at::kBFloat16;
  if (machine != "here") {
    const std::vector<std::string> names = dist::machine_preset_names();
    std::string known = "here";
    for (const std::string& name : names) known += ", " + name;
    XKDE_CHECK(std::find(names.begin(), names.end(), machine) != names.end(), UsageError,
               "--machine: expected ", known, ", found '", machine, "'");
    return recipe::preset_place(ranks, machine, dtype);
  }
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int64_t asked = recipe.parallel.threads;
  at::set_num_threads(asked > 0 ? static_cast<int>(asked) : std::max(1, cores / ranks));
  return recipe::this_place(ranks, ranks, at::kCPU, dtype);
}

}  // namespace

std::string estimate_recipe(const std::filesystem::path& file, int ranks,
                            const std::string& machine, const std::vector<std::string>& overrides) {
  const recipe::Recipe recipe = recipe::read_recipe(file, overrides);
  const RunPlace place = place_of(recipe, ranks, machine);
  const PretrainedModel model = open_pretrained(recipe.model.model_name_or_path);
  const ChatTemplate chat_template =
      ChatTemplate::select(recipe.model.chat_template, model.chat_template);
  const Decoder decoder(model.config);
  const std::optional<RunPlan> run = recipe::plan_run(recipe, model, chat_template, decoder, place);

  std::string text = line("recipe   %s on %d ranks, %d a host, %s", file.c_str(), ranks,
                          place.ranks_on_host, machine.c_str()) +
                     model_text(recipe, decoder);
  if (!run) return text + "stages   none of them trains\n";
  dist::StepSeconds seconds = run->plan.seconds;
  std::string source = "nominal rates of " + machine;
  if (place.device.is_cpu()) {
    // The plan itself is made with nominal rates: a run must decide alike at every start.
    const dist::MachineConstants measured =
        dist::probe_cpu(decoder, run->workload.example, run->plan.options, ranks);
    seconds = dist::predict_step(run->request.model, run->plan.options, ranks, run->request.work,
                                 measured);
    source = "rates measured here, now";
  }
  return text + stages_text(recipe, *run) + layout_text(*run) + memory_text(*run) +
         time_text(*run, seconds, source);
}

std::string_view EstimateCommand::summary() const {
  return "what a run on N ranks would hold and take: tokens, shards, bytes of a rank by kind, time "
         "of a step; a recipe that does not fit is refused with the keys that would help";
}

std::vector<std::string_view> EstimateCommand::examples() const {
  return {"xkde_dist estimate recipes/paper/xeit_llama2_7b.yaml -n 8 --machine h100",
          "xkde_dist estimate recipes/quickstart.yaml -n 2"};
}

void EstimateCommand::define(CLI::App& app) {
  arguments.define(app);
  app.add_option("-n", ranks, "ranks (default 1)")->check(CLI::Range(1, 1 << 20))->type_name("N");
  std::string presets;
  for (const std::string& name : dist::machine_preset_names())
    presets += (presets.empty() ? "" : ", ") + name;
  app.add_option(
         "--machine", machine,
         "here (default: the CPU of this host, measured now) or GPU nodes by nominal rates: " +
             presets)
      ->type_name("NAME");
}

int EstimateCommand::run() {
  print(estimate_recipe(arguments.recipe, ranks, machine, arguments.overrides));
  return 0;
}

}  // namespace xkde
