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

constexpr Condition<double> kWholeShare{"a number from 0 to 1", {.least = 0, .most = 1}};

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

void QuadrantKeys::each_key(StrictMap map) {
  map.repeatable("distractors", distractors, kWholeShare);
  const double sum = std::accumulate(distractors.begin(), distractors.end(), 0.0);
  if (distractors.size() > kMostDistractors + 1)
    map.add_error("distractors", "expected at most 5 shares (of 0 to 4 distractors), found " +
                                     std::to_string(distractors.size()));
  if (std::abs(sum - 1) > 1e-6)
    map.add_error("distractors",
                  "expected shares that add up to 1, found " + Json(sum).dump() + " in all");
  map.optional("in_scope_share", in_scope_share, kWholeShare);
  map.optional("with_edit_share", with_edit_share, kWholeShare);
  map.optional("monolingual_share", monolingual_share, kWholeShare);
  map.optional("src_share", src_share, kWholeShare);
  map.optional("portability_share", portability_share, kWholeShare);
  map.optional("samples_per_pair", samples_per_pair, kNotNegative);
  map.done();
}

void ExcludedData::each_key(StrictMap map) {
  map.required("benchmark", benchmark, source_names());
  map.required("data", data);
  map.done();
}

std::set<std::filesystem::path> ExcludedData::files() const {
  const std::vector<std::filesystem::path> all = benchmark_of(benchmark).all_files(data);
  return {all.begin(), all.end()};
}

void BuildDataSource::each_key(StrictMap map, bool has_quadrants) {
  each_selection_key(map, source_names(), *this);
  map.written_if(!has_quadrants, "questions", questions, Names{kQuestions});
  if (has_quadrants && map.has("questions"))
    map.add_error("questions", "expected this key only without build_data.quadrants, found both");
  const BenchmarkSource* known = find_benchmark(benchmark);
  if (known != nullptr && !known->lists_questions && !has_quadrants)
    map.add_error("benchmark",
                  "expected build_data.quadrants beside " + benchmark + ", found no such key");
  map.done();
}

void BuildDataStage::each_key(StrictMap map) {
  const bool has_quadrants = quadrants || map.has("quadrants");
  map.list("sources", sources, [&](StrictMap item, BuildDataSource& source) {
    source.each_key(std::move(item), has_quadrants);
  });
  if (map.asks("quadrants", quadrants)) quadrants->each_key(map.map("quadrants"));
  if (has_quadrants && map.has("without_edit"))
    map.add_error("without_edit",
                  "expected this key only without build_data.quadrants, found both");
  map.written_if(!has_quadrants, "without_edit", without_edit);
  map.optional("max_samples", max_samples, kNotNegative);
  map.written_if(prompt_language != PromptLanguage::kTest, "prompt_language", prompt_language,
                 kPromptLanguages);
  map.optional_list("exclude", exclude,
                    [](StrictMap item, ExcludedData& data) { data.each_key(std::move(item)); });
  map.done();
}

BuildDataStage BuildDataStage::with_sections() {
  BuildDataStage stage;
  stage.sources.emplace_back();
  stage.quadrants.emplace();
  stage.exclude.emplace_back();
  return stage;
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
