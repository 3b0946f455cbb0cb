#include "recipes/stages/build_data_stage.h"

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/data/edit_dataset.h"
#include "core/edit/build_data.h"
#include "core/io/atomic_file.h"

namespace xkde::recipe {
namespace {

TestQuestions questions_that_are_asked(const Recipe& recipe) {
  TestQuestions questions;
  for (const auto& any : recipe.stages) {
    const auto* stage = std::get_if<EvaluateStage>(&any);
    if (stage == nullptr) continue;
    for (const std::string& edit : stage->edit_languages) {
      for (const std::string& test : stage->test_languages) {
        const EditDataset data = load_edits(benchmark_from_name(stage->benchmark), stage->data,
                                            edit, test, Slice::parse(stage->records));
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

}  // namespace

BuiltData build_data(const BuildDataStage& stage, const Recipe& recipe) {
  std::vector<TrainingExample> examples;
  for (const BuildDataSource& source : stage.sources) {
    append_source(examples, source, stage.without_edit);
  }
  BuiltData built;
  built.removed_test_questions = remove_test_questions(examples, questions_that_are_asked(recipe));
  if (stage.max_samples > 0 && static_cast<int64_t>(examples.size()) > stage.max_samples) {
    examples.resize(static_cast<size_t>(stage.max_samples));
  }
  XKDE_CHECK(!examples.empty(), DataError,
             "build_data: expected at least one training sample, found none (",
             built.removed_test_questions, " were test questions)");
  built.conversations = to_conversations(examples);
  return built;
}

void run_build_data(const BuildDataStage& stage, const std::filesystem::path& folder,
                    RunContext& context) {
  context.train_file = folder / kTrainFile;
  if (!context.is_root()) return;
  const BuiltData built = build_data(stage, context.recipe());
  write_conversations(folder / kTrainFile, built.conversations);
  const Json statistics = {{"samples", built.conversations.size()},
                           {"removed_test_questions", built.removed_test_questions}};
  write_file_atomically(folder / "statistics.json", statistics.dump(1) + "\n");
  log::info("build_data: " + std::to_string(built.conversations.size()) + " samples, " +
            std::to_string(built.removed_test_questions) + " test questions left out");
}

}  // namespace xkde::recipe
