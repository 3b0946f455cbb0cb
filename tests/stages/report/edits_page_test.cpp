#include "stages/report/edits_page.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/json_file.h"
#include "stages/report/html_report.h"
#include "stages/report/write_report.h"
#include "tests/support/temp_folder.h"

namespace xkde::report {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class EditsPage : public testing::Test {
 protected:
  void SetUp() override {
    write("run.json", R"({"run_name": "r<", "exit_reason": "done",)"
                      R"("stages": ["01-evaluate", "02-sft", "03-evaluate"]})");
    write("02-sft/metrics.jsonl", "");
    for (const char* stage : {"01-evaluate", "03-evaluate"})
      write(std::string(stage) + "/results.json",
            results_json({ResultRow{.scope = {.benchmark = "zsre",
                                              .phase = "after",
                                              .mode = "single",
                                              .size = 1,
                                              .method = "xkde"},
                                    .edit_language = "en",
                                    .test_language = "th",
                                    .metric = "reliability",
                                    .value = 50,
                                    .n = 2}})
                .dump());
    write_lines("01-evaluate", {line(7, "reliability"), line(8, "reliability")});
    write_lines("03-evaluate", {line(8, "reliability"), line(7, "reliability")});
  }

  void write(const std::string& name, const std::string& text) {
    const auto file = root_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  void write_lines(const std::string& stage, const std::vector<Json>& lines) {
    std::string text;
    for (const Json& one : lines) text += one.dump() + "\n";
    write(stage + "/predictions.jsonl", text);
  }

  /// A prediction without free answers.
  static Json plain_line(int64_t record, const std::string& metric) {
    return {{"record", record},      {"mode", "single"}, {"size", 1},  {"edit_language", "en"},
            {"test_language", "th"}, {"metric", metric}, {"probe", 0}, {"prompt", "shown"},
            {"score", 2.0 / 3}};
  }
  static Json line(int64_t record, const std::string& metric) {
    Json one = plain_line(record, metric);
    one["fact"] = "Capital? Berlin";
    one["question"] = "Which?";
    one["target"] = "Berlin";
    one["free"] = {
        {"question", {{"answer", " Berlin\n"}, {"stopped", true}, {"exact", 1}, {"f1", 1}}},
        {"chat", {{"answer", ""}, {"stopped", false}, {"exact", 0}, {"f1", 0.5}}}};
    return one;
  }

  /// Of an evaluation of the run, the last one where none is named.
  std::string page(size_t evaluation = 1, size_t most_bytes = kMostPageBytes) const {
    const RunResults run = read_run(root_.path());
    return edits_page(run, run.evaluations.at(evaluation), first_questions(run, 100), most_bytes);
  }
  /// What the script reads.
  static Json data_of(const std::string& page) {
    const std::string begin = "<script type=\"application/json\" id=\"data\">";
    const size_t from = page.find(begin) + begin.size();
    return parse_json(page.substr(from, page.find("</script>", from) - from), "page");
  }
  static std::string text(const Json& data, const Json& place) {
    return data["texts"].at(place.get<size_t>()).get<std::string>();
  }

  test::TempFolder root_;
};

TEST_F(EditsPage, HasTheQuestionsInTheOrderOfItsOwnFile) {
  const Json first = data_of(page(0)), last = data_of(page(1));

  EXPECT_EQ(first["own"], 0);
  EXPECT_EQ(last["own"], 1);
  EXPECT_EQ(first["evaluations"].dump(),
            R"([["01-evaluate","before training"],["03-evaluate","XE-IT"]])");
  EXPECT_EQ(first["questions"][0]["record"], 7);
  EXPECT_EQ(last["questions"][0]["record"], 8);
}

TEST_F(EditsPage, StandsWhatAllEvaluationsToldSideBySide) {
  const Json data = data_of(page());

  const Json& question = data["questions"][0];
  EXPECT_EQ(text(data, question["from"]), "en");
  EXPECT_EQ(text(data, question["to"]), "th");
  EXPECT_EQ(text(data, question["metric"]), "reliability");
  EXPECT_EQ(text(data, question["mode"]), "single");
  EXPECT_EQ(text(data, question["fact"]), "Capital? Berlin");
  EXPECT_EQ(text(data, question["question"]), "Which?");
  EXPECT_EQ(text(data, question["target"]), "Berlin");
  EXPECT_FALSE(question.contains("negated"));
  ASSERT_EQ(question["told"].size(), 2U);
  const Json& told = question["told"][1];
  EXPECT_EQ(told["by"], 1);
  EXPECT_EQ(told["right"], false);
  EXPECT_EQ(text(data, told["tokens"]), "0.67");
  const Json& alone = told["free"][0];
  EXPECT_THAT((std::vector<std::string>{text(data, alone[0]), text(data, alone[1]),
                                        text(data, alone[2]), alone[3].dump()}),
              ElementsAre("question", "Berlin", "exact 1, f1 1", "true"));
  const Json& chat = told["free"][1];
  EXPECT_THAT((std::vector<std::string>{text(data, chat[0]), text(data, chat[1]),
                                        text(data, chat[2]), chat[3].dump()}),
              ElementsAre("chat", "", "exact 0, f1 0.5, did not stop", "false"));
}

TEST_F(EditsPage, HoldsTextsOnce) {
  const Json texts = data_of(page())["texts"];

  EXPECT_EQ(std::count(texts.begin(), texts.end(), "Capital? Berlin"), 1);
}

TEST_F(EditsPage, IsTheSameAgain) { EXPECT_EQ(page(), page()); }

TEST_F(EditsPage, WithoutFreeAnswersHasThePromptAndTokens) {
  for (const char* stage : {"01-evaluate", "03-evaluate"})
    write_lines(stage, {plain_line(7, "locality.Forgetfulness")});

  const Json data = data_of(page());

  const Json& question = data["questions"][0];
  EXPECT_EQ(text(data, question["prompt"]), "shown");
  EXPECT_FALSE(question.contains("question"));
  EXPECT_EQ(question["told"][0]["right"], false);
  EXPECT_FALSE(question["told"][0].contains("free"));
}

TEST_F(EditsPage, SaysWhatANegationMustNotSay) {
  write_lines("03-evaluate", {line(7, "negation")});

  EXPECT_EQ(data_of(page())["questions"][0]["negated"], true);
}

TEST_F(EditsPage, HasWhatWasToldRightAfterTheEdit) {
  Json aged = line(7, "reliability");
  aged["age"] = 12;
  aged["at_once"] = {{"score", 1.0}, {"free", aged["free"]}};
  write_lines("03-evaluate", {aged});

  const Json question = data_of(page())["questions"][0];

  EXPECT_EQ(question["age"], 12);
  ASSERT_EQ(question["told"].size(), 3U);
  EXPECT_EQ(question["told"][1]["at_once"], true);
  EXPECT_FALSE(question["told"][2].contains("at_once"));
}

TEST_F(EditsPage, LetsNoTextEndTheBlockOrBeginMarkup) {
  const std::string hostile = "</script><script>alert(1)</script><!--&amp;\u2028\u2029]]>\"\\\x01";
  Json one = line(7, "reliability");
  for (const char* key : {"fact", "question", "target"}) one[key] = hostile;
  one["free"]["chat"]["answer"] = hostile;
  one["test_language"] = "\"><b>";
  write_lines("03-evaluate", {one});

  const std::string html = page();

  EXPECT_THAT(html, AllOf(Not(HasSubstr("alert(1)<")), Not(HasSubstr("<script>alert")),
                          Not(HasSubstr("<!--")), Not(HasSubstr("<b>")), Not(HasSubstr("\u2028")),
                          Not(HasSubstr("\u2029"))));
  EXPECT_THAT(html, HasSubstr("<h1>r&lt;: XE-IT</h1>"));
  const Json data = data_of(html);
  EXPECT_EQ(text(data, data["questions"][0]["fact"]), hostile);
}

TEST_F(EditsPage, LoadsNothing) {
  EXPECT_THAT(page(),
              AllOf(HasSubstr("default-src 'none'"), Not(HasSubstr("://")), Not(HasSubstr("src=")),
                    Not(HasSubstr("@import")), Not(HasSubstr("url("))));
}

TEST_F(EditsPage, IsCutToItsSizeAndSaysHowManyAreLeftOut) {
  std::vector<Json> lines;
  for (int64_t record = 0; record < 100; ++record) {
    lines.push_back(line(record, "reliability"));
    lines.back()["fact"] = "fact " + std::to_string(record) + std::string(1000, 'x');
  }
  write_lines("03-evaluate", lines);
  const size_t most_bytes = 60'000;
  EXPECT_THAT(page(), Not(HasSubstr("left-out")));

  const std::string html = page(1, most_bytes);

  EXPECT_LE(html.size(), most_bytes);
  EXPECT_GE(html.size(), most_bytes - 2'000);
  const Json questions = data_of(html)["questions"];
  const size_t count = questions.size();
  EXPECT_THAT(html, HasSubstr(concat("The first ", count, " of 100 questions stand here, ",
                                     100 - count, " are left out")));
  EXPECT_THAT(html, HasSubstr("xkde_dist show RUN --limit 0"));
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(questions[i]["record"], i);
  EXPECT_EQ(data_of(page(1, 1'000))["questions"].size(), 0U);
}

TEST_F(EditsPage, IsWrittenWithTheReportWhichLinksIt) {
  write_report(root_.path());

  std::ifstream report(root_.path() / "report.html");
  const std::string html{std::istreambuf_iterator<char>(report), {}};
  EXPECT_THAT(html, HasSubstr("<h2>zsre, single</h2>\n<p>Read what was said: "
                              "<a href=\"report/01-evaluate.html\">before training</a> · "
                              "<a href=\"report/03-evaluate.html\">XE-IT</a></p>"));
  EXPECT_THAT(html, Not(HasSubstr("<script type")));
  std::ifstream file(root_.path() / "report/03-evaluate.html");
  EXPECT_EQ((std::string{std::istreambuf_iterator<char>(file), {}}), page());
}

TEST_F(EditsPage, IsNotLinkedFromAPageOfSeveralRuns) {
  const std::vector<RunResults> runs{read_run(root_.path()), read_run(root_.path())};

  EXPECT_THAT(html_report(runs, {}), Not(HasSubstr("<a href")));
}

TEST_F(EditsPage, FirstQuestionsHaveWhatEveryEvaluationToldOfThem) {
  const RunResults run = read_run(root_.path());

  const AskedQuestions asked = first_questions(run, 1);

  EXPECT_THAT(asked.counts, ElementsAre(2, 2));
  ASSERT_EQ(asked.questions.size(), 2U);
  EXPECT_EQ(asked.questions[0].size(), 2U);
  write_lines("03-evaluate", {line(7, "reliability"), line(9, "reliability")});
  const AskedQuestions alike = first_questions(run, 1);
  ASSERT_EQ(alike.questions.size(), 1U);
  EXPECT_EQ(alike.questions[0].back().number, 1);
}

}  // namespace
}  // namespace xkde::report
