#include "stages/report/survival.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "stages/report/shown_edits.h"
#include "stages/report/write_report.h"
#include "tests/support/temp_folder.h"

namespace xkde::report {
namespace {

using testing::HasSubstr;

/// A run with evaluations behind training, rounding to Q4_0, and more training.
class SurvivalOfEdits : public testing::Test {
 protected:
  void SetUp() override {
    write("run.json",
          R"({"run_name": "r", "exit_reason": "done", "recipe": {"stages": [{"sft": {}},)"
          R"({"evaluate": {}}, {"quantize": {"type": "Q4_0"}}, {"evaluate": {}}, {"sft": {}},)"
          R"({"evaluate": {}}]}, "stages": ["01-sft", "02-evaluate", "03-quantize",)"
          R"("04-evaluate", "05-sft", "06-evaluate"]})");
    write("01-sft/metrics.jsonl", "");
    write("03-quantize/model.gguf", "");
    write("05-sft/metrics.jsonl", "");
    // Four questions: right, right, wrong and, of locality, right.
    evaluation("02-evaluate", {1.0, 1.0, 0.5, 1.0}, {1, 0, 0, 1});
    evaluation("04-evaluate", {1.0, 0.5, 1.0, 0.0}, {0, 1, 1, 0});
    evaluation("06-evaluate", {0.0, 1.0, 1.0, 1.0}, {1, 1, 1, 1});
  }

  void write(const std::string& name, const std::string& text) {
    const auto file = root_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  void evaluation(const std::string& stage, const std::vector<double>& scores,
                  const std::vector<int>& exact, const std::string& method = "xkde",
                  const std::string& phase = "after") {
    const ResultRow row{{"zsre", phase, "single", 1, method}, "en", "de", "reliability", 50.0, 4};
    write(stage + "/results.json", results_json({row}).dump());
    std::string lines;
    for (size_t i = 0; i < scores.size(); ++i) {
      const Json chat{{"answer", "a"}, {"stopped", true}, {"exact", exact[i]}, {"f1", 1.0}};
      lines += Json{{"record", i},
                    {"mode", "single"},
                    {"size", 1},
                    {"edit_language", "en"},
                    {"test_language", "de"},
                    {"metric", i == 3 ? "locality.Forgetfulness" : "reliability"},
                    {"probe", 0},
                    {"prompt", "p"},
                    {"score", scores[i]},
                    {"free", {{"chat", chat}}}}
                   .dump() +
               "\n";
    }
    write(stage + "/predictions.jsonl", lines);
  }

  std::vector<Survival> found() const { return survivals(read_run(root_.path())); }

  test::TempFolder root_;
};

TEST_F(SurvivalOfEdits, HoldsEachEvaluationAgainstOneWhoseWeightsAreNotRounded) {
  const std::vector<Survival> all = found();

  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].title(), "zsre, single, XE-IT → XE-IT + Q4_0");
  EXPECT_EQ(all[1].title(), "zsre, single, XE-IT → XE-IT + Q4_0 + XE-IT");
  EXPECT_EQ(all[1].from.stage, "02-evaluate");
}

TEST_F(SurvivalOfEdits, CountsWhatWasRightAndStillIs) {
  EXPECT_EQ(survival_table(std::vector{found().front()}),
            "zsre, single, XE-IT → XE-IT + Q4_0\n"
            "still right                 tokens   chat exact\n"
            "en → de, reliability  50.00 % of 2  0.00 % of 1\n");
}

TEST_F(SurvivalOfEdits, BeforeAllTrainingOnlyRoundingIsAsked) {
  evaluation("02-evaluate", {1, 1, 1, 1}, {1, 1, 1, 1}, "xkde", "before");

  const std::vector<Survival> all = found();

  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].from.stage, "02-evaluate");
  EXPECT_EQ(all[1].from.stage, "04-evaluate");  // behind more training
}

TEST_F(SurvivalOfEdits, OfAnotherMethodIsNotCompared) {
  evaluation("04-evaluate", {1, 1, 1, 1}, {1, 1, 1, 1}, "ike");

  const std::vector<Survival> all = found();

  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].to.stage, "06-evaluate");
}

TEST_F(SurvivalOfEdits, SaysSoWhereNothingWasRight) {
  evaluation("02-evaluate", {0, 0, 0, 0}, {0, 0, 0, 0});

  EXPECT_THAT(survival_table(found()), HasSubstr("0 right"));
}

TEST_F(SurvivalOfEdits, StandsInThePageAndInAFileOfItsOwn) {
  write_report(root_.path());

  std::ifstream page(root_.path() / "report.html");
  const std::string html(std::istreambuf_iterator<char>(page), {});
  EXPECT_THAT(html, HasSubstr("<h2>What remains</h2>"));
  EXPECT_THAT(html, HasSubstr("<td>50.00 % of 2</td>"));
  std::ifstream table(root_.path() / "report/survival.csv");
  const std::string csv(std::istreambuf_iterator<char>(table), {});
  EXPECT_THAT(csv, HasSubstr("zsre,single,xkde,XE-IT,02-evaluate,XE-IT + Q4_0,04-evaluate,en,de,"
                             "reliability,tokens,2,1\r\n"));
}

TEST_F(SurvivalOfEdits, QuestionsOfAnotherBenchmarkAreOthers) {
  const ResultRow row{{"recent", "after", "single", 1, "xkde"}, "en", "de", "reliability", 50.0, 4};
  write("06-evaluate/results.json", results_json({row}).dump());

  EXPECT_EQ(found().size(), 1U);
  EXPECT_THAT(shown_edits(root_.path(), {}), HasSubstr("8 of 8 questions"));
}

TEST_F(SurvivalOfEdits, ALineThatIsNoneIsNamed) {
  write("04-evaluate/predictions.jsonl", "{\"record\": 1}\n");

  try {
    found();
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("04-evaluate/predictions.jsonl: line 1: expected"));
  }
}

}  // namespace
}  // namespace xkde::report
