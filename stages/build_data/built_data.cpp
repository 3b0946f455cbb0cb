#include "stages/build_data/built_data.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_dataset.h"
#include "core/data/benchmarks/knowedit.h"
#include "core/edit/build_data.h"
#include "core/edit/quadrants.h"

namespace xkde::recipe {
namespace {

/// Reads an excluded benchmark; `use` gets each record.
template <typename Use>
void read_excluded(const ExcludedData& excluded, const Use& use) {
  if (is_knowedit_name(excluded.benchmark)) {
    const KnowEditSet set = knowedit_from_name(excluded.benchmark);
    const KnowEditDataset data =
        read_knowedit(set, find_knowedit_file(set, excluded.data, KnowEditSplit::kTest));
    for (const KnowEditRecord& record : data.records) use(record);
    return;
  }
  const EditDataset data = load_all_edits(benchmark_from_name(excluded.benchmark), excluded.data);
  for (const EditRecord& record : data.records) use(record);
}

TestQuestions questions_that_are_asked(const BuildDataStage& build, const Recipe& recipe) {
  TestQuestions questions;
  for (const ExcludedData& excluded : build.exclude)
    read_excluded(excluded, [&questions](const auto& record) { questions.add(record); });
  for (const StagePtr& stage : recipe.stages) {
    const EditSelection* asked = stage->asks();
    if (asked == nullptr) continue;
    if (is_knowedit_name(asked->benchmark)) {
      read_excluded({asked->benchmark, asked->data},
                    [&questions](const auto& record) { questions.add(record); });
      continue;
    }
    for (const std::string& edit : asked->edit_languages) {
      for (const std::string& test : asked->test_languages) {
        const EditDataset data = load_edits(benchmark_from_name(asked->benchmark), asked->data,
                                            edit, test, Slice::parse(asked->records));
        for (const EditRecord& record : data.records) questions.add(record);
      }
    }
  }
  return questions;
}

void append_source(std::vector<TrainingExample>& examples, const BuildDataSource& source,
                   bool without_edit) {
  BuildOptions options;
  options.without_edit = without_edit;
  options.questions.clear();
  for (const std::string& name : source.questions) {
    options.questions.push_back(question_kind_from_name(name));
  }
  for (const std::string& edit : source.edit_languages) {
    for (const std::string& test : source.test_languages) {
      const EditDataset data = load_edits(benchmark_from_name(source.benchmark), source.data, edit,
                                          test, Slice::parse(source.records));
      append_examples(examples, data.records, source.benchmark, language_of(edit),
                      language_of(test), options);
    }
  }
}

using Counts = std::map<std::string, int64_t>;

/// The cases of a KnowEdit set; like a list, a slice counts them from 0.
std::vector<EditCase> knowedit_cases(const BuildDataSource& source, Counts& skipped) {
  const KnowEditSet set = knowedit_from_name(source.benchmark);
  const KnowEditDataset data =
      read_knowedit(set, find_knowedit_file(set, source.data, KnowEditSplit::kTrain));
  for (const auto& [reason, count] : data.skipped)
    skipped[source.benchmark + ": " + reason] += count;
  const auto [begin, end] =
      Slice::parse(source.records).range(static_cast<int64_t>(data.records.size()));
  std::vector<EditCase> cases;
  for (int64_t i = begin; i < end; ++i)
    cases.push_back(edit_case(data.records[static_cast<size_t>(i)]));
  return cases;
}

std::vector<EditCase> parallel_cases(const BuildDataSource& source, const Language& edit,
                                     const Language& test, Counts& skipped) {
  const EditDataset data = load_edits(benchmark_from_name(source.benchmark), source.data, edit.iso,
                                      test.iso, Slice::parse(source.records));
  for (const auto& [reason, count] : data.skipped)
    skipped[concat(source.benchmark, " ", edit.iso, test.iso, ": ", reason)] += count;
  std::vector<EditCase> cases;
  for (const EditRecord& record : data.records) cases.push_back(edit_case(record, edit, test));
  return cases;
}

QuadrantOptions options_of(const BuildDataStage& stage, uint64_t seed) {
  const QuadrantKeys& keys = *stage.quadrants;
  QuadrantOptions options;
  options.distractors = keys.distractors;
  options.in_scope_share = keys.in_scope_share;
  options.with_edit_share = keys.with_edit_share;
  options.monolingual_share = keys.monolingual_share;
  options.src_share = keys.src_share;
  options.portability_share = keys.portability_share;
  options.samples_per_pair = keys.samples_per_pair;
  options.max_samples = stage.max_samples;
  options.seed = seed;
  return options;
}

/// Samples of protocol 3.3.
std::vector<TrainingExample> quadrant_examples(const BuildDataStage& stage, const Recipe& recipe,
                                               BuiltData& built) {
  const TestQuestions asked = questions_that_are_asked(stage, recipe);
  Counts skipped, removed;
  std::vector<CaseSet> sets;
  for (const BuildDataSource& source : stage.sources) {
    for (const std::string& edit_code : source.edit_languages) {
      for (const std::string& test_code : source.test_languages) {
        const Language& edit = language_of(edit_code);
        const Language& test = language_of(test_code);
        CaseSet set{source.benchmark, edit, test, {}};
        set.cases = is_knowedit_name(source.benchmark)
                        ? knowedit_cases(source, skipped)
                        : parallel_cases(source, edit, test, skipped);
        remove_test_questions(set.cases, asked, removed);
        sets.push_back(std::move(set));
      }
    }
  }
  QuadrantSamples samples =
      build_quadrants(sets, options_of(stage, static_cast<uint64_t>(recipe.seed)));
  for (const auto& [reason, count] : removed) built.removed_test_questions += count;
  skipped.merge(removed);
  skipped.merge(samples.statistics.skipped);
  built.counts = {{"sources", samples.statistics.sources},
                  {"language_pairs", samples.statistics.pairs},
                  {"quadrants", samples.statistics.quadrants},
                  {"facts", samples.statistics.facts},
                  {"skipped", skipped}};
  return std::move(samples.examples);
}

/// One sample for each question that the sources list.
std::vector<TrainingExample> listed_examples(const BuildDataStage& stage, const Recipe& recipe,
                                             BuiltData& built) {
  std::vector<TrainingExample> examples;
  for (const BuildDataSource& source : stage.sources) {
    append_source(examples, source, stage.without_edit);
  }
  built.removed_test_questions =
      remove_test_questions(examples, questions_that_are_asked(stage, recipe));
  return examples;
}

}  // namespace

BuiltData build_data(const BuildDataStage& stage, const Recipe& recipe) {
  BuiltData built;
  std::vector<TrainingExample> examples = stage.quadrants ? quadrant_examples(stage, recipe, built)
                                                          : listed_examples(stage, recipe, built);
  if (stage.max_samples > 0 && static_cast<int64_t>(examples.size()) > stage.max_samples) {
    examples.resize(static_cast<size_t>(stage.max_samples));
  }
  XKDE_CHECK(!examples.empty(), DataError,
             "build_data: expected at least one training sample, found none (",
             built.removed_test_questions, " were test questions)");
  built.conversations = to_conversations(examples);
  return built;
}

Json statistics_of(const BuiltData& built) {
  Json statistics{{"samples", built.conversations.size()},
                  {"removed_test_questions", built.removed_test_questions}};
  if (built.counts.is_object()) statistics.update(built.counts);
  return statistics;
}

std::string summary_of(const BuiltData& built) {
  std::string quadrants;
  if (built.counts.is_object()) {
    for (const auto& [name, count] : built.counts["quadrants"].items())
      quadrants += concat(quadrants.empty() ? " (" : ", ", name, " ", count.get<int64_t>());
    quadrants += ")";
  }
  return concat(built.conversations.size(), " samples", quadrants, ", ",
                built.removed_test_questions, " test questions left out");
}

}  // namespace xkde::recipe
