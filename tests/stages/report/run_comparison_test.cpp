#include "stages/report/run_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/temp_folder.h"

namespace xkde::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Runs of one evaluation each, with predictions on disk.
class Comparison : public testing::Test {
 protected:
  struct Question {
    int64_t record = 0;
    std::string metric = "reliability";
    int64_t probe = 0;
    double score = 1;
    std::string prompt = "p";
    std::string question = {};  ///< empty: the line has none
  };

  void add(const std::string& name, const std::vector<Question>& questions, Json recipe = {}) {
    std::string lines;
    for (const Question& one : questions) {
      Json line{{"record", one.record},  {"mode", "single"},      {"size", 1},
                {"edit_language", "en"}, {"test_language", "es"}, {"metric", one.metric},
                {"probe", one.probe},    {"prompt", one.prompt},  {"score", one.score}};
      if (!one.question.empty()) {
        line["question"] = one.question;
        line["target"] = "t";
      }
      lines += line.dump() + "\n";
    }
    std::filesystem::create_directories(folder_.path() / name / "01-evaluate");
    folder_.write(name + "/01-evaluate/predictions.jsonl", lines);
    RunResults run;
    run.folder = folder_.path() / name;
    run.name = name;
    run.run = Json{{"stages", {"01-evaluate"}}, {"recipe", std::move(recipe)}};
    run.evaluations.push_back({.stage = "01-evaluate", .label = "XE-IT", .rows = {row()}});
    runs_.push_back(std::move(run));
  }

  static ResultRow row() {
    return {.scope = {.benchmark = "zsre",
                      .phase = "after",
                      .mode = "single",
                      .size = 1,
                      .method = "xkde"},
            .edit_language = "en",
            .test_language = "es",
            .metric = "reliability",
            .value = 50.0,
            .n = 2};
  }

  test::TempFolder folder_;
  std::vector<RunResults> runs_;
};

TEST_F(Comparison, PairsRecordsAndTestsTheirDifferences) {
  std::vector<Question> first, other;
  for (int64_t record = 0; record < 4; ++record) {
    first.push_back({.record = record, .score = 0.5});
    other.push_back({.record = record, .score = 0.75});
  }
  add("a", first);
  add("b", other);

  const RunComparison found = compare_runs(runs_);

  EXPECT_THAT(found.warnings, IsEmpty());
  ASSERT_EQ(found.differences.size(), 1U);
  const RunDifference& one = found.differences.front();
  EXPECT_EQ(one.other, "b");
  EXPECT_EQ(one.records, 4);
  EXPECT_DOUBLE_EQ(one.first_value, 50);
  EXPECT_DOUBLE_EQ(one.test.mean, 25);
  EXPECT_DOUBLE_EQ(*one.test.p, 0.125);  // of 16 choices of signs, two are as far from 0
  EXPECT_THAT(comparison_text(found), HasSubstr("+25.00 … +25.00"));
}

TEST_F(Comparison, CountsAsResultsDo) {
  // Record 0 has a kind with two probes and another kind; record 1 the first kind alone.
  const std::vector<Question> first{{0, "portability.A", 0, 0.0},
                                    {0, "portability.A", 1, 0.0},
                                    {0, "portability.B", 0, 0.0},
                                    {1, "portability.A", 0, 0.0}};
  const std::vector<Question> other{{0, "portability.A", 0, 1.0},
                                    {0, "portability.A", 1, 0.0},
                                    {0, "portability.B", 0, 1.0},
                                    {1, "portability.A", 0, 0.0}};
  add("a", first);
  add("b", other);
  const RunComparison easy = compare_runs(runs_);
  ASSERT_EQ(easy.differences.size(), 1U);
  EXPECT_DOUBLE_EQ(easy.differences[0].test.mean, 37.5);  // of 75 and 0

  for (RunResults& run : runs_)
    run.run["recipe"] = Json{{"stages", {{{"evaluate", {{"averaging", "lte"}}}}}}};
  EXPECT_DOUBLE_EQ(compare_runs(runs_).differences[0].test.mean, 62.5);  // of 25 and 100
}

TEST_F(Comparison, WarnsOfOtherQuestionsAndLeavesThemOut) {
  add("a", {{.record = 0, .question = "q0"}, {.record = 1, .question = "q1"}, {.record = 2}});
  add("b", {{.record = 0, .question = "q0"}, {.record = 1, .question = "else"}, {.record = 3}});

  const RunComparison found = compare_runs(runs_);

  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_THAT(
      found.warnings[0],
      AllOf(HasSubstr("a, 01-evaluate and b, 01-evaluate: 1 question is asked by the first "
                      "alone, 1 question is asked by the other alone, 1 has another text or "
                      "target"),
            HasSubstr("; 1 is compared")));
  EXPECT_EQ(found.differences.at(0).records, 1);
  EXPECT_EQ(found.differences[0].first_records, 3);
}

TEST_F(Comparison, WarnsWhereOnlyPromptsTellAndDiffer) {
  add("a", {{.record = 0, .prompt = "p"}});
  add("b", {{.record = 0, .prompt = "q"}});
  EXPECT_THAT(compare_runs(runs_).warnings.at(0), HasSubstr("1 has another prompt"));
}

TEST_F(Comparison, OfARunWithoutPredictionsIsAWarning) {
  add("a", {{}});
  add("b", {{}});
  std::filesystem::remove(runs_[1].folder / "01-evaluate/predictions.jsonl");
  const RunComparison found = compare_runs(runs_);
  EXPECT_THAT(found.warnings.at(0), HasSubstr("not compared, as one has no predictions.jsonl"));
  EXPECT_THAT(found.differences, IsEmpty());
}

TEST_F(Comparison, ListsTheKeysThatDiffer) {
  const auto recipe = [](double rate, int64_t seed, const char* output) {
    return Json{{"output_dir", output},
                {"seed", seed},
                {"stages",
                 {{{"sft", {{"learning_rate", rate}, {"lora", {{"r", 8}}}}}},
                  {{"evaluate", {{"mode", "single"}}}}}}};
  };
  add("a", {{}}, recipe(0.5, 1, "out/a"));
  add("b", {{}}, recipe(0.25, 1, "out/b"));
  runs_[1].run["recipe"]["stages"].push_back({{"evaluate", {{"mode", "batch"}}}});
  const TextGrid keys = compare_runs(runs_).recipe_keys;
  EXPECT_THAT(
      keys, ElementsAre(ElementsAre("key", "a", "b"), ElementsAre("evaluate[2].mode", "–", "batch"),
                        ElementsAre("sft.learning_rate", "0.5", "0.25")));
}

TEST_F(Comparison, OfOneRunIsEmpty) {
  add("a", {{}});
  EXPECT_EQ(comparison_text(compare_runs(runs_)), "");
}

}  // namespace
}  // namespace xkde::report
