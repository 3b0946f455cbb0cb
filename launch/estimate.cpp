#include "launch/estimate.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/host_threads.h"
#include "core/base/standard_output.h"
#include "core/model/decoder.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/plural.h"
#include "core/text/text_layout.h"
#include "distributed/planner/machine_presets.h"
#include "distributed/planner/machine_probe.h"
#include "launch/command_line/slurm_request.h"
#include "stages/pipeline/run_plan.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/run_record.h"
#include "stages/run/run_place.h"

namespace xkde {
namespace {

using recipe::Recipe;
using recipe::RunPlace;
using recipe::RunPlan;

template <typename... Values>
std::string line(fmt::format_string<Values...> format, Values&&... values) {
  return fmt::format(format, std::forward<Values>(values)...) + "\n";
}

constexpr size_t kIndent = 9;  // of what stands behind a heading

double in_millions(int64_t count) { return 1e-6 * static_cast<double>(count); }

std::string model_text(const recipe::Recipe& recipe, const Decoder& decoder) {
  const dist::ModelShape shape = dist::shape_of(decoder);
  return line("model    {}", recipe.model.model_name_or_path.string()) +
         line("         {:.1f} million parameters in {} units: embedding, {} blocks, head{}",
              in_millions(shape.parameters()), decoder.units().size(), shape.layers,
              decoder.tied() ? " (its matrix is the embedding)" : "");
}

std::string stages_text(const recipe::Recipe& recipe, const RunPlan& run) {
  std::string text = "stages  ";
  for (size_t i = 0; i < recipe.stages.size(); ++i) {
    text += concat(' ', recipe::stage_folder_name(i, recipe.stages[i]->name()));
  }
  const recipe::TrainWorkload& work = run.workload;
  text.push_back('\n');
  return text +
         line("training {}: {}, {}",
              recipe::stage_folder_name(work.stage, recipe.stages[work.stage]->name()),
              count_of(work.samples, "sample"), count_of(work.steps, "step")) +
         line(
             "         a step has {:.0f} tokens, of which {:.0f} are computed (common prefixes "
             "once)",
             work.tokens, work.computed_tokens) +
         line("         a rank's largest pack: {}, {}", count_of(work.largest.tokens, "row"),
              count_of(work.largest.labels, "label"));
}

std::string adapter_text(const dist::ModelShape& model) {
  if (!model.is_frozen()) return "";
  return line("         of {:.2f} million in the adapter that is trained; the others are frozen",
              in_millions(model.trained().parameters()));
}

std::string layout_text(const RunPlan& run) {
  const dist::EngineOptions& options = run.plan.options;
  const int shards = options.num_shards(run.request.ranks);
  return line("layout   {} shards x {} copies; a rank's shard has {:.1f} million parameters",
              shards, run.request.ranks / shards,
              in_millions(dist::state_numel(run.request.model, shards))) +
         adapter_text(run.request.model) +
         line("plan     shard {}, recompute {} ({})", options.policy().name,
              name_of(dist::kRecomputeNames, options.recompute), run.plan.reason);
}

std::string memory_text(const RunPlan& run) {
  std::string text = line("memory   {} a rank at its peak, {} available",
                          dist::in_gigabytes(run.plan.memory.peak()),
                          dist::in_gigabytes(run.request.available_bytes));
  for (const auto& [name, bytes] : run.plan.memory.items()) {
    if (bytes > 0) {
      text += line("         {:<16} {:>10}", name, dist::in_gigabytes(bytes));
    }
  }
  return text;
}

/// Of a stage that asks or edits the model: what it holds then, and what it holds with the judge.
std::string asking_text(const Recipe& recipe, const recipe::AskPlan& plan, int64_t available) {
  const auto items = [](const dist::AskMemory& memory) {
    std::string text;
    for (const auto& [name, bytes] : memory.items()) {
      if (bytes > 0) text += line("         {:<16} {:>10}", name, dist::in_gigabytes(bytes));
    }
    return text;
  };
  std::string text = line("{:<{}}{}: {} a rank at its peak, {} available", plan.title, kIndent,
                          recipe::stage_folder_name(plan.stage, recipe.stages[plan.stage]->name()),
                          dist::in_gigabytes(plan.memory.peak()), dist::in_gigabytes(available));
  text += items(plan.memory.model);
  if (!plan.memory.judge) return text;
  return text +
         line("judge    {} when the model is freed",
              dist::in_gigabytes(plan.memory.judge->peak())) +
         items(*plan.memory.judge);
}

std::string time_text(const RunPlan& run, const dist::StepSeconds& seconds,
                      const std::string& source) {
  std::string text = line("time     {} a step, {:.0f} tokens/s ({})", in_time(seconds.total()),
                          run.workload.tokens / seconds.total(), source);
  for (const auto& [name, part] : seconds.items()) {
    if (part > 0) {
      text += line("         {:<16} {:>9.1f} %", name, 100.0 * part / seconds.total());
    }
  }
  return text + line("         {} steps take {}", run.workload.steps,
                     in_time(seconds.total() * static_cast<double>(run.workload.steps)));
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

RunPlace place_of(const recipe::Recipe& recipe, int ranks, const std::string& machine) {
  const at::ScalarType dtype = recipe::scalar_type(recipe.model.dtype);
  if (machine != "here") {
    const std::vector<std::string> names = dist::machine_preset_names();
    XKDE_CHECK(std::find(names.begin(), names.end(), machine) != names.end(), UsageError,
               "--machine: expected here, ", joined(names), ", found '", machine, "'");
    return recipe::preset_place(ranks, machine, dtype);
  }
  at::set_num_threads(threads_of_process(recipe.parallel.threads, ranks));
  return recipe::this_place(ranks, ranks, at::kCPU, dtype);
}

/// What is known of a run before it starts.
struct Forecast {
  Recipe recipe;
  RunPlace place{};
  std::optional<Decoder> decoder{};
  std::optional<RunPlan> run{};  ///< nothing where no stage trains
  std::vector<recipe::AskPlan> asking{};
  dist::StepSeconds seconds{};
  std::string source{};  ///< of the rates behind `seconds`
};

Forecast predict(const std::filesystem::path& file, int ranks, const std::string& machine,
                 const std::vector<std::string>& overrides) {
  Forecast all{.recipe = recipe::read_recipe(file, recipe::kStageParsers, overrides)};
  all.place = place_of(all.recipe, ranks, machine);
  const PretrainedModel model = open_pretrained(all.recipe.model.model_name_or_path);
  const ChatTemplate chat_template = ChatTemplate::select(
      all.recipe.model.chat_template, own_template(model, all.recipe.model.chat_date));
  all.decoder.emplace(model.config);
  recipe::RunData data;
  all.run = recipe::plan_run(all.recipe, model, chat_template, *all.decoder, all.place, data);
  const dist::EngineOptions options =
      all.run ? all.run->plan.options : recipe::engine_options(all.recipe, ranks, all.place.device);
  all.asking = recipe::plan_asking(all.recipe, model, chat_template, all.place, options, data);
  if (!all.run) return all;
  all.seconds = all.run->plan.seconds;
  all.source = "nominal rates of " + machine;
  if (all.place.device.is_cpu()) {
    // The plan itself is made with nominal rates: a run must decide alike at every start.
    const dist::MachineConstants measured =
        dist::probe_cpu(*all.decoder, all.run->workload.example, all.run->plan.options, ranks);
    all.seconds = dist::predict_step(all.run->request.model, all.run->plan.options, ranks,
                                     all.run->request.work, measured);
    all.source = "rates measured here, now";
  }
  return all;
}

/// Of a rank in main memory while it trains.
int64_t training_host_bytes(const RunPlan& run, const RunPlace& place) {
  const int64_t process = recipe::process_bytes(place.device);
  if (place.device.is_cpu()) return process + run.plan.memory.peak();
  // Masters and moments: as a save copies them, and once more where they are kept there.
  const dist::EngineOptions& options = run.plan.options;
  const int64_t numel =
      dist::state_numel(run.request.model.trained(), options.num_shards(run.request.ranks));
  const int64_t state = 3 * static_cast<int64_t>(sizeof(float)) * numel;
  return process + state * (options.offload_optimizer ? 2 : 1);
}

/// Of a rank in main memory.
int64_t host_bytes(const Forecast& all) {
  int64_t bytes = all.run ? training_host_bytes(*all.run, all.place) : 0;
  if (!all.place.device.is_cpu()) return bytes;
  for (const recipe::AskPlan& plan : all.asking)
    bytes = std::max(bytes, recipe::process_bytes(all.place.device) + plan.memory.peak());
  return bytes;
}

}  // namespace

std::string estimate_recipe(const std::filesystem::path& file, int ranks,
                            const std::string& machine, const std::vector<std::string>& overrides) {
  const Forecast all = predict(file, ranks, machine, overrides);
  std::string text = line("recipe   {} on {} ranks, {} a host, {}", file.string(), ranks,
                          all.place.ranks_on_host, machine) +
                     model_text(all.recipe, *all.decoder);
  std::string asking;
  for (const recipe::AskPlan& plan : all.asking)
    asking += asking_text(all.recipe, plan, all.place.bytes);
  if (!all.run) return text + "stages   none of them trains\n" + asking;
  return text + stages_text(all.recipe, *all.run) + layout_text(*all.run) + memory_text(*all.run) +
         time_text(*all.run, all.seconds, all.source) + asking;
}

std::string in_time(double seconds) {
  if (seconds < 1.0) return concat(static_cast<int64_t>(1e3 * seconds + 0.5), " ms");
  return seconds < 600.0 ? fmt::format("{:.2f} s", seconds) : fmt::format("{:.0f} s", seconds);
}

std::optional<double> training_seconds(const std::filesystem::path& file, int ranks,
                                       const std::string& machine) {
  const Forecast all = predict(file, ranks, machine, {});
  if (!all.run) return std::nullopt;
  return all.seconds.total() * static_cast<double>(all.run->workload.steps);
}

std::string slurm_estimate(const std::filesystem::path& file, int ranks, const std::string& machine,
                           const std::vector<std::string>& overrides) {
  const Forecast all = predict(file, ranks, machine, overrides);
  SlurmRequest request;
  request.about = fmt::format("{} ranks, {}", ranks, machine);
  request.ranks = ranks;
  request.most_on_node = all.place.ranks_on_host;
  request.uses_gpus = all.place.device.is_cuda();
  request.threads = request.uses_gpus ? 0 : all.place.threads;
  for (size_t i = 0; i < all.recipe.stages.size(); ++i) {
    const std::string name(all.recipe.stages[i]->name());
    const bool is_timed = all.run && all.run->workload.stage == i;
    const bool is_short = name == "build_data" || name == "quantize" || name == "export";
    if (!is_timed && !is_short) request.untimed.push_back(recipe::stage_folder_name(i, name));
  }
  request.rank_bytes = host_bytes(all);
  if (!all.run) return sbatch_lines(request);
  request.about += fmt::format(": shard {}, recompute {}", all.run->plan.options.policy().name,
                               name_of(dist::kRecomputeNames, all.run->plan.options.recompute));
  request.seconds = all.seconds.total() * static_cast<double>(all.run->workload.steps);
  return sbatch_lines(request);
}

std::string_view EstimateCommand::summary() const {
  return "what a run on N ranks would hold and take: tokens, shards, bytes of a rank by kind, time "
         "of a step; a recipe that does not fit is refused with the keys that would help";
}

std::vector<std::string_view> EstimateCommand::examples() const {
  return {"xkde_dist estimate recipes/paper/xeit_llama2_7b.yaml -n 8 --machine h100",
          "xkde_dist estimate recipes/quickstart.yaml -n 2 --slurm"};
}

void EstimateCommand::define(CLI::App& app) {
  arguments.define(app);
  app.add_option("-n", ranks, "ranks (default 1)")->check(CLI::Range(1, 1 << 20))->type_name("N");
  app.add_option(
         "--machine", machine,
         "here (default: the CPU of this host, measured now) or GPU nodes by nominal rates: " +
             joined(dist::machine_preset_names()))
      ->type_name("NAME");
  app.add_flag("--slurm", slurm, "only what to ask SLURM for, as #SBATCH lines");
}

int EstimateCommand::run() {
  const auto estimate = slurm ? slurm_estimate : estimate_recipe;
  const std::string text = estimate(arguments.recipe, ranks, machine, arguments.overrides);
  print(slurm ? text : folded(text, output_columns(), kIndent));
  return 0;
}

}  // namespace xkde
