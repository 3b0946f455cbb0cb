#include "stages/build_data/built_data.h"

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/data/benchmarks/benchmarks.h"
#include "core/edit/build_data.h"
#include "core/edit/edit_questions.h"
#include "core/edit/quadrants.h"
#include "core/io/sha256.h"
#include "core/text/plural.h"

namespace xkde::recipe {
namespace {

TestQuestions questions_that_are_asked(const BuildDataStage& build, const Recipe& recipe,
                                       LoadedData& files) {
  TestQuestions questions;
  const auto add_all = [&](const std::string& benchmark, const std::filesystem::path& data) {
    for (const EditRecord& record : files.all_edits(benchmark_of(benchmark), data).records)
      questions.add(record);
  };
  for (const ExcludedData& excluded : build.exclude) add_all(excluded.benchmark, excluded.data);
  for (const StagePtr& stage : recipe.stages) {
    const EditSelection* asked = stage->asks();
    if (asked == nullptr) continue;
    // A set of KnowEdit is kept out as a whole, whichever records are asked.
    if (benchmark_of(asked->benchmark).has_one_language()) {
      add_all(asked->benchmark, asked->data);
      continue;
    }
    for (const std::string& edit : asked->edit_languages) {
      for (const std::string& test : asked->test_languages) {
        check_stop();
        for (const EditRecord& record : asked->load(edit, test, Split::kTest, files).records)
          questions.add(record);
      }
    }
  }
  return questions;
}

using Counts = std::map<std::string, int64_t>;

/// Counts what the records of a pair go without, and what was left out of its files.
void count_left_out(const BuildDataSource& source, const Language& edit, const Language& test,
                    const EditDataset& data, Counts& skipped) {
  const std::string pair =
      benchmark_of(source.benchmark).has_one_language() ? "" : concat(" ", edit.iso, test.iso);
  for (const auto& [reason, count] : data.skipped)
    skipped[concat(source.benchmark, pair, ": ", reason)] += count;
  for (const EditRecord& record : data.records) {
    for (const std::string& reason : side_of(record, test).left_out)
      ++skipped[concat(source.benchmark, pair, ": ", reason)];
  }
}

void append_source(std::vector<TrainingExample>& examples, const BuildDataSource& source,
                   const BuildDataStage& stage, LoadedData& files, Counts& skipped) {
  BuildOptions options;
  options.without_edit = stage.without_edit;
  options.prompt_language = stage.prompt_language;
  options.questions.clear();
  for (const std::string& name : source.questions) {
    options.questions.push_back(question_kind_from_name(name));
  }
  for (const std::string& edit : source.edit_languages) {
    for (const std::string& test : source.test_languages) {
      check_stop();
      const EditDataset data = source.load(edit, test, Split::kTrain, files);
      count_left_out(source, language_of(edit), language_of(test), data, skipped);
      append_examples(examples, data.records, source.benchmark, language_of(edit),
                      language_of(test), options);
    }
  }
}

std::vector<EditCase> cases_of(const BuildDataSource& source, const Language& edit,
                               const Language& test, LoadedData& files, Counts& skipped) {
  const EditDataset data = source.load(edit.iso, test.iso, Split::kTrain, files);
  count_left_out(source, edit, test, data, skipped);
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
  options.prompt_language = stage.prompt_language;
  return options;
}

/// Samples of protocol 3.3.
std::vector<TrainingExample> quadrant_examples(const BuildDataStage& stage, const Recipe& recipe,
                                               LoadedData& files, BuiltData& built) {
  const TestQuestions asked = questions_that_are_asked(stage, recipe, files);
  Counts skipped, removed;
  std::vector<CaseSet> sets;
  for (const BuildDataSource& source : stage.sources) {
    for (const std::string& edit_code : source.edit_languages) {
      for (const std::string& test_code : source.test_languages) {
        check_stop();
        const Language& edit = language_of(edit_code);
        const Language& test = language_of(test_code);
        CaseSet set{source.benchmark, edit, test, {}};
        set.cases = cases_of(source, edit, test, files, skipped);
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
                                             LoadedData& files, BuiltData& built) {
  std::vector<TrainingExample> examples;
  Counts skipped;
  for (const BuildDataSource& source : stage.sources) {
    append_source(examples, source, stage, files, skipped);
  }
  built.removed_test_questions =
      remove_test_questions(examples, questions_that_are_asked(stage, recipe, files));
  if (!skipped.empty()) built.counts = {{"skipped", skipped}};
  return examples;
}

}  // namespace

BuiltData build_data(const BuildDataStage& stage, const Recipe& recipe, LoadedData& files) {
  BuiltData built;
  std::vector<TrainingExample> examples = stage.quadrants
                                              ? quadrant_examples(stage, recipe, files, built)
                                              : listed_examples(stage, recipe, files, built);
  if (stage.max_samples > 0 && static_cast<int64_t>(examples.size()) > stage.max_samples) {
    examples.resize(static_cast<size_t>(stage.max_samples));
  }
  XKDE_CHECK(!examples.empty(), DataError,
             "build_data: expected at least one training sample, found none (",
             built.removed_test_questions, " were test questions)");
  built.conversations = to_conversations(examples);
  return built;
}

std::string left_out_questions(const BuildDataStage& stage, const Recipe& recipe,
                               LoadedData& files) {
  std::set<std::string> offered;
  for (const BuildDataSource& source : stage.sources) {
    for (const std::string& edit : source.edit_languages) {
      for (const std::string& test : source.test_languages) {
        check_stop();
        for (const EditRecord& record : source.load(edit, test, Split::kTrain, files).records) {
          for (const auto& [language, side] : record.sides) {
            for (EditQuestion& one : edit_questions(side)) offered.insert(std::move(one.question));
          }
        }
      }
    }
  }
  const TestQuestions asked = questions_that_are_asked(stage, recipe, files);
  Json left_out = Json::array();
  for (const std::string& question : offered) {
    if (asked.contains(question)) left_out.push_back(question);
  }
  return sha256_hex(left_out.dump());
}

const BuiltData& built_ahead(const BuildDataStage& stage, const Recipe& recipe, RunData& data) {
  const auto found = data.built.find(&stage);
  if (found != data.built.end()) return found->second;
  return data.built.emplace(&stage, build_data(stage, recipe, data.files)).first->second;
}

Json statistics_of(const BuiltData& built) {
  Json statistics{{"samples", built.conversations.size()},
                  {"removed_test_questions", built.removed_test_questions}};
  if (built.counts.is_object()) statistics.update(built.counts);
  return statistics;
}

std::string summary_of(const BuiltData& built) {
  std::string quadrants;
  if (built.counts.contains("quadrants")) {
    for (const auto& [name, count] : built.counts["quadrants"].items())
      quadrants += concat(quadrants.empty() ? " (" : ", ", name, " ", count.get<int64_t>());
    quadrants += ")";
  }
  return concat(count_of(built.conversations.size(), "sample"), quadrants, ", ",
                count_of(built.removed_test_questions, "test question"), " left out");
}

}  // namespace xkde::recipe
