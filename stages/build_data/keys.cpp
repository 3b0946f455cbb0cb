#include "stages/build_data/keys.h"

#include <cmath>
#include <numeric>
#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/benchmarks.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kQuestions[] = {"src", "rephrase", "loc", "portability"};

/// What the published evaluator asks is no way to train.
constexpr Named<PromptLanguage> kPromptLanguages[] = {{"test", PromptLanguage::kTest},
                                                      {"native", PromptLanguage::kNative}};

constexpr Condition<double> kWholeShare{
    "a number from 0 to 1", [](const double& value) { return value >= 0 && value <= 1; }};

// Of the five nearest facts one is the fact itself.
constexpr size_t kMostDistractors = 4;

const Names& source_names() {
  static const std::vector<std::string_view> kAll = benchmark_names();
  static const Names kNames{kAll};
  return kNames;
}

void read_source(const BuildDataSource& source, LoadedData& files) {
  for (const std::string& edit : source.edit_languages) {
    for (const std::string& test : source.test_languages)
      source.load(edit, test, Split::kTrain, files);
  }
}

}  // namespace

QuadrantKeys QuadrantKeys::parse(StrictMap map) {
  QuadrantKeys keys;
  map.repeatable("distractors", keys.distractors, kWholeShare);
  const double sum = std::accumulate(keys.distractors.begin(), keys.distractors.end(), 0.0);
  if (keys.distractors.size() > kMostDistractors + 1)
    map.add_error("distractors", "expected at most 5 shares (of 0 to 4 distractors), found " +
                                     std::to_string(keys.distractors.size()));
  if (std::abs(sum - 1) > 1e-6)
    map.add_error("distractors",
                  "expected shares that add up to 1, found " + Json(sum).dump() + " in all");
  map.optional("in_scope_share", keys.in_scope_share, kWholeShare);
  map.optional("with_edit_share", keys.with_edit_share, kWholeShare);
  map.optional("monolingual_share", keys.monolingual_share, kWholeShare);
  map.optional("src_share", keys.src_share, kWholeShare);
  map.optional("portability_share", keys.portability_share, kWholeShare);
  map.optional("samples_per_pair", keys.samples_per_pair, kNotNegative);
  map.done();
  return keys;
}

Json to_json(const QuadrantKeys& keys) {
  return {{"distractors", keys.distractors},
          {"in_scope_share", keys.in_scope_share},
          {"with_edit_share", keys.with_edit_share},
          {"monolingual_share", keys.monolingual_share},
          {"src_share", keys.src_share},
          {"portability_share", keys.portability_share},
          {"samples_per_pair", keys.samples_per_pair}};
}

ExcludedData ExcludedData::parse(StrictMap map) {
  ExcludedData excluded;
  map.required("benchmark", excluded.benchmark, source_names());
  map.required("data", excluded.data);
  map.done();
  return excluded;
}

std::set<std::filesystem::path> ExcludedData::files() const {
  const std::vector<std::filesystem::path> all = benchmark_of(benchmark).all_files(data);
  return {all.begin(), all.end()};
}

Json to_json(const ExcludedData& excluded) {
  return {{"benchmark", excluded.benchmark}, {"data", excluded.data.string()}};
}

BuildDataSource BuildDataSource::parse(StrictMap map, bool has_quadrants) {
  BuildDataSource source;
  read_selection(map, source_names(), source);
  map.optional("questions", source.questions, Names{kQuestions});
  if (has_quadrants && map.has("questions"))
    map.add_error("questions", "expected this key only without build_data.quadrants, found both");
  const BenchmarkSource* known = find_benchmark(source.benchmark);
  if (known != nullptr && !known->lists_questions && !has_quadrants)
    map.add_error("benchmark", "expected build_data.quadrants beside " + source.benchmark +
                                   ", found no such key");
  map.done();
  return source;
}

BuildDataStage BuildDataStage::parse(StrictMap map) {
  BuildDataStage stage;
  const bool has_quadrants = map.has("quadrants");
  for (StrictMap& source : map.maps("sources"))
    stage.sources.push_back(BuildDataSource::parse(std::move(source), has_quadrants));
  StrictMap quadrants = map.map("quadrants");
  if (has_quadrants) stage.quadrants = QuadrantKeys::parse(std::move(quadrants));
  if (has_quadrants && map.has("without_edit"))
    map.add_error("without_edit",
                  "expected this key only without build_data.quadrants, found both");
  map.optional("without_edit", stage.without_edit);
  map.optional("max_samples", stage.max_samples, kNotNegative);
  map.optional("prompt_language", stage.prompt_language, kPromptLanguages);
  if (map.has("exclude")) {
    for (StrictMap& excluded : map.maps("exclude"))
      stage.exclude.push_back(ExcludedData::parse(std::move(excluded)));
  }
  map.done();
  return stage;
}

BuildDataStage BuildDataStage::with_sections() {
  BuildDataStage stage;
  stage.sources.emplace_back();
  stage.quadrants.emplace();
  stage.exclude.emplace_back();
  return stage;
}

Json BuildDataStage::keys() const {
  Json list = Json::array();
  for (const BuildDataSource& source : sources) {
    Json json = selection_json(source);
    if (!quadrants) json["questions"] = source.questions;
    list.push_back(std::move(json));
  }
  Json json{{"sources", std::move(list)}};
  if (quadrants) {
    json["quadrants"] = to_json(*quadrants);
  } else {
    json["without_edit"] = without_edit;
  }
  json["max_samples"] = max_samples;
  if (prompt_language != PromptLanguage::kTest)
    json["prompt_language"] = name_of(kPromptLanguages, prompt_language);
  for (const ExcludedData& excluded : exclude) json["exclude"].push_back(to_json(excluded));
  return json;
}

void BuildDataStage::check_inputs(InputChecker& inputs) const {
  for (size_t i = 0; i < sources.size(); ++i) {
    const std::string key = concat("sources.", i, ".data");
    if (inputs.opens(key, sources[i].data, kEditData))
      inputs.reads(key, [&] { read_source(sources[i], inputs.files()); });
  }
  for (size_t i = 0; i < exclude.size(); ++i) {
    const std::string key = concat("exclude.", i, ".data");
    if (inputs.opens(key, exclude[i].data, kEditData))
      inputs.reads(key, [&] {
        inputs.files().all_edits(benchmark_of(exclude[i].benchmark), exclude[i].data);
      });
  }
}

std::set<std::filesystem::path> BuildDataStage::files() const {
  std::set<std::filesystem::path> files;
  for (const BuildDataSource& source : sources) files.merge(source.files(Split::kTrain));
  for (const ExcludedData& excluded : exclude) files.merge(excluded.files());
  return files;
}

}  // namespace xkde::recipe
