// Scaling on paper, by the model that also plans runs (docs/planner.md): one JSON line a case.
//   scaling_model [--machine h100] [--tokens 8192] [--sequence 4096] [--measured
//   engine_bench.jsonl]
// First Llama-2 7B, 13B and 70B on 8 to 1,024 GPUs with `tokens` a GPU and step: full sharding over
// all of them, and what the planner chooses when it may also keep copies of the model, one a node
// or more. Then published weak-scaling curves, each fitted at its first point only; then, with
// --measured, lines of engine_bench, whose predictions were made with rates measured beside the
// steps. Ends with exit code 1 where a published point is off by more than 5 %, or a measured one
// by more than 15 %.

#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "benchmarks/published_curves.h"
#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "distributed/planner/machine_presets.h"
#include "distributed/planner/planner.h"

namespace {

using nlohmann::json;
using namespace xkde::dist;

constexpr double kPublishedError = 0.05;
constexpr double kMeasuredError = 0.15;

struct Settings {
  std::string machine = "h100";
  double tokens = 8192;
  double sequence = 4096;
  std::string measured;
};

struct NamedModel {
  std::string name;
  ModelShape shape;
};

std::vector<NamedModel> models() {
  return {{"Llama-2-7B", llama_shape(32, 4096, 11008, 32, 32, 32000, false)},
          {"Llama-2-13B", llama_shape(40, 5120, 13824, 40, 40, 32000, false)},
          {"Llama-2-70B", llama_shape(80, 8192, 28672, 64, 8, 32000, false)}};
}

void print(const json& line) { std::cout << line.dump() << std::endl; }

PlanRequest request_for(const ModelShape& model, int gpus, const Settings& settings) {
  const MachinePreset preset = machine_preset(settings.machine);
  PlanRequest request;
  request.model = model;
  request.ranks = gpus;
  request.options = {.compute_dtype = c10::kBFloat16, .prefetch = 1, .device = c10::kCUDA};
  request.work = dense_work(settings.tokens, settings.sequence);
  request.largest = {.tokens = static_cast<int64_t>(settings.tokens),
                     .labels = static_cast<int64_t>(settings.tokens),
                     .pairs = static_cast<int64_t>(request.work.pairs)};
  request.machine = preset.machine;
  request.available_bytes = static_cast<int64_t>(0.95 * preset.device_bytes);
  return request;
}

json line_of(const std::string& name, const PlanRequest& request, const Plan& plan,
             const Settings& settings) {
  const double seconds = plan.seconds.total();
  const double peak = machine_preset(settings.machine).peak_flops;
  const double break_even = break_even_tokens(request.model, plan.options, request.ranks,
                                              settings.sequence, request.machine);
  return {{"bench", "scaling_model"},
          {"model", name},
          {"machine", settings.machine},
          {"gpus", request.ranks},
          {"shard", plan.options.policy().name},
          {"replicate", plan.options.replicate},
          {"recompute", name_of(kRecomputeNames, plan.options.recompute)},
          {"tokens_per_gpu", settings.tokens},
          {"step_seconds", seconds},
          {"tokens_per_second_per_gpu", settings.tokens / seconds},
          {"mfu", necessary_flops(request.model, request.work) / seconds / peak},
          {"bytes_per_gpu", plan.memory.peak()},
          {"fits", plan.memory.peak() <= request.available_bytes},
          {"communication_share", plan.seconds.exposed / seconds},
          {"break_even_tokens_per_gpu", break_even},
          {"bound", settings.tokens < break_even ? "communication" : "computation"}};
}

/// Full sharding over all GPUs, blocks recomputed only where they have to be.
Plan fully_sharded(PlanRequest request) {
  request.shard = ShardMode::kFull;
  const std::vector<Plan> plans = possible_plans(request);  // keep all, then recompute
  const bool fits = plans.front().memory.peak() <= request.available_bytes;
  return fits ? plans.front() : plans.back();
}

/// The fastest that fits of the planner's choices for any number of copies that are whole nodes.
Plan best_of_copies(PlanRequest request) {
  const int per_node = request.machine.link.ranks_per_node;
  Plan best = fully_sharded(request);
  for (int copies = 1; copies * per_node <= request.ranks; copies *= 2) {
    request.options.replicate = copies;
    for (const Plan& plan : possible_plans(request)) {
      const bool fits = plan.memory.peak() <= request.available_bytes;
      if (fits && plan.seconds.total() < best.seconds.total()) best = plan;
    }
  }
  return best;
}

void predict_models(const Settings& settings) {
  for (const NamedModel& model : models()) {
    int bound_from = 0;
    for (int gpus = 8; gpus <= 1024; gpus *= 2) {
      const PlanRequest request = request_for(model.shape, gpus, settings);
      const json full = line_of(model.name, request, fully_sharded(request), settings);
      print(full);
      if (bound_from == 0 && full.at("bound") == "communication") bound_from = gpus;
      json best = line_of(model.name, request, best_of_copies(request), settings);
      best["chosen"] = true;
      print(best);
    }
    print({{"bench", "scaling_model"},
           {"model", model.name},
           {"machine", settings.machine},
           {"tokens_per_gpu", settings.tokens},
           {"full_sharding_is_communication_bound_from_gpus",
            bound_from == 0 ? json(nullptr) : json(bound_from)}});
  }
}

bool reproduce_published() {
  double worst = 0.0;
  for (const PublishedCurve& curve : published_curves()) {
    const double flops = fitted_flops(curve);
    for (const auto& [gpus, measured] : curve.points) {
      const double predicted = curve.tokens / predicted_seconds(curve, gpus, flops);
      const double error = predicted / measured - 1.0;
      worst = std::max(worst, std::abs(error));
      print({{"bench", "published_curve"},
             {"curve", curve.name},
             {"source", curve.source},
             {"gpus", gpus},
             {"published_tokens_per_second_per_gpu", measured},
             {"predicted", predicted},
             {"error", error}});
    }
  }
  print({{"bench", "published_curve"}, {"worst_error", worst}, {"limit", kPublishedError}});
  return worst <= kPublishedError;
}

bool compare_measured(const std::string& file) {
  xkde::LineReader lines(file, xkde::FileOrigin::kInput);
  double worst = 0.0;
  for (std::string text; lines.next(text);) {
    const json line = json::parse(text);
    if (line.value("bench", "") != "engine") continue;
    const double ratio =
        line.at("predicted_seconds").get<double>() / line.at("step_seconds_median").get<double>();
    worst = std::max(worst, std::abs(ratio - 1.0));
    print({{"bench", "measured_run"},
           {"shape", line.at("shape")},
           {"ranks", line.at("ranks")},
           {"shard", line.at("shard")},
           {"recompute", line.at("recompute")},
           {"dtype", line.at("dtype")},
           {"step_seconds", line.at("step_seconds_median")},
           {"predicted", line.at("predicted_seconds")},
           {"error", ratio - 1.0},
           {"memory_error",
            line.at("predicted_bytes").get<double>() / line.at("peak_bytes").get<double>() - 1.0}});
  }
  print({{"bench", "measured_run"}, {"worst_error", worst}, {"limit", kMeasuredError}});
  return worst <= kMeasuredError;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Step time, MFU and memory of large runs on paper"};
  app.add_option("--machine", settings.machine)->check(CLI::IsMember(machine_preset_names()));
  app.add_option("--tokens", settings.tokens, "of a GPU and step")->check(CLI::Range(16, 1 << 24));
  app.add_option("--sequence", settings.sequence, "tokens")->check(CLI::Range(16, 1 << 24));
  app.add_option("--measured", settings.measured, "lines of engine_bench");
  CLI11_PARSE(app, argc, argv);
  try {
    predict_models(settings);
    bool good = reproduce_published();
    if (!settings.measured.empty()) good = compare_measured(settings.measured) && good;
    return good ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "scaling_model: " << error.what() << std::endl;
    return 1;
  }
}
