#include "stages/report/shown_edits.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ShownEdits : public testing::Test {
 protected:
  void SetUp() override {
    write("run.json", R"({"run_name": "r", "exit_reason": "done",)"
                      R"("stages": ["01-evaluate", "02-sft", "03-evaluate"]})");
    for (const char* stage : {"01-evaluate", "03-evaluate"})
      write(std::string(stage) + "/results.json", "[]");
    write("02-sft/metrics.jsonl", "");
    write("01-evaluate/predictions.jsonl",
          line(7, "de", "reliability", 0.0, "Bonn", 0) +
              line(8, "es", "locality.Forgetfulness", 1.0, "x", 1));
    write("03-evaluate/predictions.jsonl",
          line(7, "de", "reliability", 1.0, "Berlin\nis", 1) +
              line(8, "es", "locality.Forgetfulness", 1.0, "y", 0));
  }

  void write(const std::string& name, const std::string& text) {
    const auto file = root_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  static std::string line(int64_t record, const std::string& test, const std::string& metric,
                          double score, const std::string& answer, int exact) {
    const Json chat{{"answer", answer}, {"stopped", exact == 1}, {"exact", exact}, {"f1", 0.5}};
    return Json{{"record", record},
                {"mode", "single"},
                {"size", 1},
                {"edit_language", "en"},
                {"test_language", test},
                {"metric", metric},
                {"probe", 0},
                {"prompt", "shown"},
                {"score", score},
                {"fact", "Capital? Berlin"},
                {"question", "Hauptstadt?"},
                {"target", "Berlin"},
                {"free", {{"chat", chat}}}}
               .dump() +
           "\n";
  }

  std::string shown(const ShownQuestions& which = {}) const {
    return shown_edits(root_.path(), which);
  }

  test::TempFolder root_;
};

TEST_F(ShownEdits, SaysWhichRecordsAnEvaluationIsAbout) {
  const Json row{{"benchmark", "zsre"}, {"phase", "after"},      {"mode", "single"},
                 {"size", 1},           {"edit_language", "en"}, {"test_language", "de"},
                 {"metric", "em"},      {"value", 1.0},          {"n", 743},
                 {"batch", 1},          {"records", 743},        {"order", "file"},
                 {"seed", nullptr},     {"run_seed", 42}};
  write("03-evaluate/results.json", Json::array({row}).dump());
  EXPECT_THAT(shown(), HasSubstr("  03-evaluate: XE-IT, batch 1, records: 743 in file order\n"));
}

TEST_F(ShownEdits, StandsTheAnswersOfAllEvaluationsBelowTheQuestion) {
  EXPECT_THAT(
      shown(),
      StartsWith("2 of 2 questions\n"
                 "\n"
                 "record 7, en → de, reliability, single\n"
                 "  fact          Capital? Berlin\n"
                 "  question      Hauptstadt?\n"
                 "  expected      Berlin\n"
                 "  01-evaluate: before training\n"
                 "                reliability wrong: token accuracy 0.00\n"
                 "    answered    Bonn\n"
                 "                free.chat.reliability wrong: exact 0, f1 0.5, did not stop\n"
                 "  03-evaluate: XE-IT\n"
                 "                reliability right: token accuracy 1.00\n"
                 "    answered    Berlin\n"
                 "                is\n"
                 "                free.chat.reliability right: exact 1, f1 0.5\n"
                 "\n"
                 "record 8"));
}

TEST_F(ShownEdits, SaysWithoutFreeAnswersWhatWasExpectedAndPredicted) {
  Json plain = Json::parse(line(7, "de", "reliability", 0.5, "", 1));
  plain.erase("free");
  plain["target_text"] = " Berlin";
  plain["predicted_text"] = " Bonn";
  plain["f1"] = 0.25;
  for (const char* stage : {"01-evaluate", "03-evaluate"})
    write(std::string(stage) + "/predictions.jsonl", plain.dump() + "\n");

  EXPECT_THAT(shown(),
              HasSubstr("  question      Hauptstadt?\n"
                        "  expected      Berlin\n"
                        "  01-evaluate: before training\n"
                        "    expected    \" Berlin\"\n"
                        "    predicted   \" Bonn\"\n"
                        "                reliability wrong: token accuracy 0.50, f1 0.25\n"));
}

TEST_F(ShownEdits, SaysOfLocalityWhetherAnAnswerWasKeptAndAgainstWhat) {
  Json kept = Json::parse(line(8, "es", "locality.Forgetfulness", 1.0, "the same", 1));
  kept["target_text"] = kept["predicted_text"] = " Paris";
  Json changed = kept;
  changed["predicted_text"] = " Rome";
  changed["score"] = 0.0;
  changed["base_locality"] = 1.0;
  changed["free"]["chat"]["exact"] = 0;
  changed["free"]["chat"]["base_exact"] = 1;
  write("01-evaluate/predictions.jsonl", kept.dump() + "\n");
  write("03-evaluate/predictions.jsonl", changed.dump() + "\n");

  EXPECT_THAT(
      shown({.wrong = true}),
      HasSubstr(
          "  expected      the same as without the edit\n"
          "  in the file   Berlin\n"
          "  01-evaluate: before training\n"
          "    unedited    \" Paris\"\n"
          "    predicted   \" Paris\"\n"
          "                locality.Forgetfulness kept: token accuracy 1.00 against the answer "
          "without the edit\n"
          "    answered    the same\n"
          "                free.chat.locality.Forgetfulness kept: exact 1, f1 0.5\n"
          "  03-evaluate: XE-IT\n"
          "    unedited    \" Paris\"\n"
          "    predicted   \" Rome\"\n"
          "                locality.Forgetfulness changed: token accuracy 0.00 against the "
          "answer without the edit\n"
          "                base_locality kept: token accuracy 1.00 against the answer before "
          "training\n"
          "    answered    the same\n"
          "                free.chat.locality.Forgetfulness changed: exact 0, f1 0.5\n"
          "                base_free.chat.locality.Forgetfulness kept: exact 1 against the answer "
          "before training\n"));
}

TEST_F(ShownEdits, KeepsToAWidth) {
  std::istringstream lines(shown_edits(root_.path(), {}, 50));
  for (std::string text; std::getline(lines, text);) EXPECT_LE(display_width(text), 50U) << text;
}

TEST_F(ShownEdits, WrongLooksAtTheLastFreeAnswer) {
  const std::string text = shown({.wrong = true});
  EXPECT_THAT(text, StartsWith("1 of 2 questions\n"));
  EXPECT_THAT(text, HasSubstr("record 8"));
}

TEST_F(ShownEdits, WrongLooksAtTokensWhereNothingWasAnsweredFreely) {
  for (const char* stage : {"01-evaluate", "03-evaluate"}) {
    Json plain = Json::parse(line(7, "de", "reliability", 0.5, "", 1));
    for (const char* key : {"free", "fact", "question", "target"}) plain.erase(key);  // as once
    write(std::string(stage) + "/predictions.jsonl", plain.dump() + "\n");
  }
  EXPECT_THAT(shown({.wrong = true}), HasSubstr("  prompt        shown\n"));
}

TEST_F(ShownEdits, ChoosesByLanguageMetricAndRecord) {
  EXPECT_THAT(shown({.language = "es"}), StartsWith("1 of 2 "));
  EXPECT_THAT(shown({.metric = "locality"}), HasSubstr("record 8"));
  EXPECT_THAT(shown({.language = "de", .metric = "locality"}), StartsWith("0 of 2 "));
  EXPECT_THAT(shown({.record = 7}), Not(HasSubstr("record 8")));
  EXPECT_THAT(shown({.limit = 1}),
              StartsWith("2 of 2 questions, the first 1 shown (--limit 0 shows all)\n"));
}

TEST_F(ShownEdits, SaysWhatThereIsWhereNoQuestionHasWhatIsWanted) {
  const auto refusal = [&](const ShownQuestions& which) {
    return test::message_of<UsageError>([&] { shown(which); });
  };
  EXPECT_EQ(refusal({.language = "qq"}), "show: --lang: expected de or es, found 'qq'");
  EXPECT_EQ(refusal({.language = "DE"}),
            "show: --lang: expected de or es, found 'DE'; did you mean 'de'?");
  EXPECT_EQ(refusal({.metric = "foo"}),
            "show: --metric: expected locality.Forgetfulness or reliability, found 'foo'");
  EXPECT_THAT(refusal({.metric = "relability"}), HasSubstr("; did you mean 'reliability'?"));
  EXPECT_THAT(refusal({.metric = "local"}), HasSubstr("; did you mean 'locality'?"));
  EXPECT_EQ(refusal({.record = 99}),
            "show: --record: expected one of the 2 records from 7 to 8 that were asked, found 99");
}

TEST_F(ShownEdits, NamesTheLineThatIsNoPrediction) {
  write("03-evaluate/predictions.jsonl", line(7, "de", "reliability", 1, "", 1) + "{\"a\":1}\n");
  try {
    shown();
    FAIL() << "expected a DataError";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("predictions.jsonl: line 2: expected a prediction"));
  }
}

TEST_F(ShownEdits, NeedsAFinishedEvaluation) {
  write("run.json", R"({"run_name": "r", "exit_reason": "done", "stages": ["02-sft"]})");
  EXPECT_THROW(shown(), MissingInputError);
}

}  // namespace
}  // namespace xkde::report
