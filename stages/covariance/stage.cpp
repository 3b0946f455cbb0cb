#include "stages/covariance/stage.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/editing/moments/covariance_file.h"
#include "core/editing/moments/published_moment.h"
#include "core/editing/moments/second_moment.h"
#include "core/io/atomic_file.h"
#include "core/nn/device_memory.h"
#include "distributed/comm/agreement.h"
#include "distributed/planner/machine_presets.h"
#include "stages/covariance/moment_collector.h"
#include "stages/covariance/text_windows.h"
#include "stages/edit/editing_memory.h"
#include "stages/recipe/run_record.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kUsualWindow = 512;

std::string names_of_files(const CovarianceStage& stage) {
  std::vector<std::string> names;
  for (const TextSource& text : stage.texts) names.push_back(text.data.filename().string());
  for (const ImportedMoment& one : stage.imports) names.push_back(one.data.filename().string());
  return fmt::format("{}", fmt::join(names, ", "));
}

SecondMomentsByPlace read_imports(const CovarianceStage& stage, const Decoder& decoder) {
  SecondMomentsByPlace all;
  for (const ImportedMoment& one : stage.imports) {
    const std::vector<ObservedInput> input =
        observed_inputs(decoder, {&one.layer, 1}, {&one.module, 1}, "covariance.import");
    all[moment_place(one.layer, input.front().module())] =
        read_published_moment(one.data, width_of(decoder, input.front()));
  }
  return all;
}

/// The sizes of what is left, and a warning where there are too few tokens.
Json place_statistics(const SecondMomentsByPlace& all) {
  Json places = Json::object();
  for (const auto& [place, moment] : all) {
    const int64_t width = moment.mean.size(0);
    places[place] = {{"width", width}, {"tokens", moment.tokens}};
    if (moment.tokens < width) {
      log::warning(concat("covariance: ", place, ": ", moment.tokens,
                          " tokens are fewer than the width ", width,
                          ", so that the matrix has no inverse"));
    }
  }
  return places;
}

/// How far the means moved at each doubling: of all places the farthest.
void tell_changes(const Json& changes) {
  std::vector<std::string> steps;
  for (const Json& step : changes) {
    double most = 0.0;
    for (const auto& [place, change] : step.at("change").items())
      most = std::max(most, change.get<double>());
    steps.push_back(fmt::format("{:.2f} % at {}", 100.0 * most, step.at("tokens").get<int64_t>()));
  }
  if (!steps.empty())
    log::info(fmt::format("covariance: the means moved by {} tokens", fmt::join(steps, ", ")));
}

Json text_statistics(const CovarianceStage& stage, const TextWindows& windows) {
  Json texts = Json::array();
  for (size_t i = 0; i < stage.texts.size(); ++i) {
    texts.push_back({{"text", stage.texts[i].data.filename().string()},
                     {"lang", stage.texts[i].lang},
                     {"documents", windows.shares[i].documents},
                     {"tokens", windows.shares[i].tokens}});
  }
  return texts;
}

/// Writes what the stage leaves; on rank 0.
void write(const CovarianceStage& stage, const SecondMomentsByPlace& moments, Json statistics,
           const fs::path& folder, const RunContext& context) {
  write_covariance(folder / kCovarianceFile, moments,
                   {.model = model_digest(context), .texts = names_of_files(stage), .notes = ""});
  statistics["places"] = place_statistics(moments);
  write_file_atomically(folder / kStatisticsFile, statistics.dump(1) + "\n");
}

void import_moments(const CovarianceStage& stage, const fs::path& folder, RunContext& context) {
  dist::agree_on(context.comm(), [&] {
    if (context.is_root())
      write(stage, read_imports(stage, context.decoder()), Json::object(), folder, context);
  });
}

}  // namespace

void check_covariance(const CovarianceStage& stage, const SurveyInputs& inputs) {
  const Decoder decoder(inputs.model.config);
  observed_inputs(decoder, stage.layers, stage.modules, "covariance.layers");
  read_imports(stage, decoder);
}

dist::AskMemory covariance_memory(const CovarianceStage& stage, const SurveyInputs& inputs,
                                  const dist::EngineOptions& options) {
  // Where sums are held against earlier ones: both, their difference, what is squared.
  constexpr int64_t kWorking = 5;
  constexpr int64_t kDouble = sizeof(double);
  const Decoder decoder(inputs.model.config);
  const dist::ModelShape model = dist::shape_of(decoder);
  const auto square = [&decoder](const ObservedInput& input) {
    const int64_t width = width_of(decoder, input);
    return kDouble * width * width;
  };
  dist::AskShape shape;
  int64_t moments = 0;
  for (const ImportedMoment& one : stage.imports) {
    for (const ObservedInput& input :
         observed_inputs(decoder, {&one.layer, 1}, {&one.module, 1}, "covariance.import"))
      moments += square(input);
  }
  if (stage.imports.empty()) {
    std::set<std::string> languages;
    for (const TextSource& text : stage.texts) languages.insert(text.lang);
    const int64_t parts = stage.per_language ? std::ssize(languages) : 1;
    // Sums since the last look and all sums; at the end the means in place of these.
    const int64_t copies = stage.per_language ? 2 * parts + 1 : 2;
    int64_t widest = 0;
    for (const ObservedInput& input :
         observed_inputs(decoder, stage.layers, stage.modules, "covariance.layers")) {
      moments += copies * square(input);
      widest = std::max(widest, square(input));
    }
    moments += kWorking * widest;
    shape.rows = stage.max_tokens_per_batch;
    // Without a limit nobody has counted the tokens yet: as many packs as there can be shapes.
    shape.passes =
        stage.max_tokens > 0 ? 1 + stage.max_tokens / stage.max_tokens_per_batch : kCachedProducts;
  }
  dist::AskMemory bytes = dist::predict_asking(
      model, options, shape, dist::memory_constants(options.device.type(), options.compute_dtype));
  bytes.weights =
      dist::asked_weight_bytes(model, options, inputs.place.ranks, weights_held(inputs.recipe));
  bytes.moments = moments;
  return bytes;
}

void run_covariance(const CovarianceStage& stage, const fs::path& folder, RunContext& context) {
  if (!stage.imports.empty()) return import_moments(stage, folder, context);
  const int64_t context_length = context.decoder().config().context_length();
  const int64_t length =
      stage.context_length > 0 ? stage.context_length : std::min(kUsualWindow, context_length);
  const TextWindows windows = text_windows(stage, context.tokenizer(), length);
  MomentCollector collector(stage, windows, folder, context);
  collector.run();
  const SecondMomentsByPlace means = collector.take_means();
  dist::agree_on(context.comm(), [&] {
    if (!context.is_root()) return;
    const Json& changes = collector.notes().changes;
    tell_changes(changes);
    write(stage, means,
          {{"tokens", windows.tokens},
           {"texts", text_statistics(stage, windows)},
           {"changes", changes}},
          folder, context);
  });
  collector.forget();
}

}  // namespace xkde::recipe
