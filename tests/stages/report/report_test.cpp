#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "stages/report/csv.h"
#include "stages/report/easyedit_json.h"
#include "stages/report/evaluation_blocks.h"
#include "stages/report/html_report.h"
#include "stages/report/page/line_chart.h"
#include "stages/report/write_report.h"
#include "tests/support/temp_folder.h"

namespace xkde::report {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

ResultRow row(const std::string& metric, int64_t size, std::optional<double> value,
              const std::string& test = "es") {
  ResultRow one{.scope = {.benchmark = "bmike53",
                          .phase = "after",
                          .mode = "sequential",
                          .size = size,
                          .method = "xkde"},
                .edit_language = "en",
                .test_language = test,
                .metric = metric,
                .value = value,
                .n = value ? 1200 : 0};
  if (value) {
    one.low = *value - 2;
    one.high = *value + 2;
  }
  return one;
}

RunResults run(const std::string& name, std::vector<ResultRow> rows) {
  RunResults results;
  results.name = name;
  results.run = Json{{"run_name", name}, {"exit_reason", "done"}};
  results.is_finished = true;
  results.evaluations.push_back(
      {.stage = "01-evaluate", .label = "XE-IT", .rows = std::move(rows)});
  return results;
}

TEST(HtmlReport, ShowsHowFarScorersAgree) {
  RunResults results = run("one", {row("reliability", 10, 50.0)});
  EXPECT_THAT(html_report(std::span(&results, 1), {}), Not(HasSubstr("Agreement of scorers")));

  results.evaluations[0].agreement.scorers = {
      {"chat", "exact", "judge", {.both = 20, .only_first = 5, .only_second = 10, .neither = 15}}};
  results.evaluations[0].agreement.labelled = {{"all", {.both = 3}}};
  const std::string html = html_report(std::span(&results, 1), {});

  EXPECT_THAT(html, HasSubstr("<h2>Agreement of scorers</h2>"));
  EXPECT_THAT(html, HasSubstr("<h3>01-evaluate: XE-IT</h3>"));
  EXPECT_THAT(html,
              HasSubstr("<th scope=\"row\">chat, exact</th><td>50</td><td>70.00 (0.40)</td>"));
  EXPECT_THAT(html, HasSubstr("<td>100.00</td><td>all right</td>"));
}

TEST(Escaped, LeavesNoMarkup) { EXPECT_EQ(escaped("<b>&\"'\x01x"), "&lt;b&gt;&amp;&quot;&#39;x"); }

TEST(RoundTicks, AreRoundAndWithin) {
  EXPECT_THAT(round_ticks(0, 100, 5), ElementsAre(0, 20, 40, 60, 80, 100));
  EXPECT_THAT(round_ticks(3, 3, 5), ElementsAre(3));
  for (const double tick : round_ticks(0.0013, 0.0174, 5)) {
    EXPECT_GE(tick, 0.0013);
    EXPECT_LE(tick, 0.0174);
  }
}

TEST(LineChart, LeavesOutWhatIsNotFiniteAndSaysWhenNothingIsLeft) {
  const double nan = std::nan("");
  LineChart chart{.title = "loss", .x_name = "step", .lines = {{"a", {{1, nan, nan, nan}}}}};
  EXPECT_THAT(draw(chart), HasSubstr("nothing was measured"));
  chart.lines.push_back({"b<", {{1, 2, 2, 2}, {10, 3, 3, 3}}});
  const std::string svg = draw(chart);
  EXPECT_THAT(svg, HasSubstr("b&lt;"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(LineChart, PutsNamesThatAreLongBelowAndCutsNone) {
  const std::string name(120, 'n');
  LineChart chart{.title = std::string(150, 't'),
                  .x_name = "step",
                  .y_name = "loss",
                  .lines = {{name, {{1, 2, 2, 2}, {2, 3, 3, 3}}}}};
  const std::string svg = draw(chart);
  std::string shown;
  constexpr std::string_view kText = "<text class=\"name c0\"";
  for (size_t at = svg.find(kText); at != std::string::npos; at = svg.find(kText, at + 1)) {
    const size_t begin = svg.find('>', at) + 1;
    const std::string part = svg.substr(begin, svg.find('<', begin) - begin);
    EXPECT_LE(part.size(), 65U);
    shown += part;
  }
  EXPECT_EQ(shown, name);
  EXPECT_THAT(figure(chart), HasSubstr("<figure><svg"));
}

TEST(Csv, QuotesWhatNeedsIt) {
  EXPECT_EQ(csv_line({"a", "b,c", "d\"e", ""}), "a,\"b,c\",\"d\"\"e\",\r\n");
}

TEST(Csv, HasALineForEachRow) {
  const RunResults one = run("r", {row("reliability", 10, 50.25), row("locality", 10, {})});
  const std::string text = results_csv(std::span(&one, 1));
  EXPECT_THAT(text, HasSubstr("r,01-evaluate,XE-IT,bmike53,after,sequential,10,,xkde,en,es,"
                              "reliability,50.25,48.25,52.25,1200,,,,,,,,,\r\n"));
  EXPECT_THAT(text, HasSubstr("locality,,,,0,,,,,,,,,\r\n"));
}

TEST(HtmlReport, ShowsValuesIntervalsAndWhatIsMissing) {
  const RunResults one =
      run("<script>", {row("reliability", 10, 50.25), row("portability", 10, {}),
                       row("reliability", 1000, 40), row("reliability", 10, 20, "f&r")});
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("<script><")));
  EXPECT_THAT(html, HasSubstr(">50.25 <small>±2.00</small></td>"));
  EXPECT_THAT(html, HasSubstr("title=\"not asked: n = 0\">–</td>"));
  EXPECT_THAT(html, HasSubstr("n = 1,200"));
  EXPECT_THAT(html, HasSubstr("<td>1,000</td>"));
  EXPECT_THAT(html, HasSubstr("f&amp;r"));
  EXPECT_THAT(html, HasSubstr("edits in the stream"));
  // The names of the XML that a saved figure is made of are no addresses.
  const std::string names = "'http://www.w3.org/2000/svg'";
  for (size_t at = html.find("http"); at != std::string::npos; at = html.find("http", at + 1)) {
    const bool is_policy = html.compare(at, 10, "http-equiv") == 0;
    EXPECT_TRUE(is_policy || html.compare(at - 1, names.size(), names) == 0) << html.substr(at, 60);
  }
}

TEST(HtmlReport, OfARunThatGoesOnReadsItselfAgainAndLinksNoPageThatIsNotThere) {
  RunResults one = run("r", {row("reliability", 10, 50)});
  EXPECT_THAT(html_report(std::span(&one, 1), {}), HasSubstr("report/01-evaluate.html"));
  EXPECT_THAT(html_report(std::span(&one, 1), {}), Not(HasSubstr("data-live=")));
  one.run["exit_reason"] = "running";
  one.is_finished = false;
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr("<body data-live=\"1"));
  EXPECT_THAT(html, HasSubstr("The run goes on."));
  EXPECT_THAT(html, Not(HasSubstr("report/01-evaluate.html")));
}

TEST(HtmlReport, DrawsTheTrainingsOfSeveralRunsOneOverAnother) {
  std::vector<RunResults> runs{run("a", {}), run("b", {})};
  runs[0].trainings = {{"02-sft", {{"loss", {{1, 2.5}, {2, 2.0}}}}}};
  runs[1].trainings = {{"01-sft", {{"loss", {{1, 3.5}, {2, 1.0}}}}}};
  const std::string html = html_report(runs, {});
  EXPECT_THAT(html, HasSubstr("<h3>sft</h3>"));
  EXPECT_THAT(html, HasSubstr("aria-label=\"loss\""));
  EXPECT_THAT(html, HasSubstr("a, loss: 2.5 at 1, 2 at 2. b, loss: 3.5 at 1, 1 at 2."));
  EXPECT_THAT(html, HasSubstr("class=\"line c0 d0\""));
  EXPECT_THAT(html, HasSubstr("class=\"line c1 d1\""));
  EXPECT_THAT(html, HasSubstr(">loss, nats a token</text>"));
}

TEST(HtmlReport, ShowsWhatExtraMetricsFoundInTheMainTable) {
  const RunResults one = run("r", {row("reliability", 10, 50), row("exact.reliability", 10, 40),
                                   row("f1.reliability", 10, 45), row("em.locality", 10, 30)});
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\">exact.reliability</th><th scope=\"col\">"
                              "f1.reliability</th><th scope=\"col\">em.locality</th>"));
  EXPECT_THAT(html, Not(HasSubstr("By kind of question")));
}

TEST(HtmlReport, DrawsWhatIsCountedByAgeAndKeepsItOutOfTables) {
  const RunResults one =
      run("r", {row("reliability", 10, 50), row("age.1.reliability", 10, 90),
                row("age.2-5.reliability", 10, 40), row("age.2-5.at_once.reliability", 10, 95),
                row("age.1.free.chat.exact.reliability", 10, 80),
                row("age.1.free.chat.f1.reliability", 10, 80)});
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr("By age of the edit, 10 edits"));
  EXPECT_THAT(html, HasSubstr("edits ago"));
  EXPECT_THAT(html, HasSubstr("reliability, at once"));
  EXPECT_THAT(html, HasSubstr("XE-IT, free.chat.exact"));
  EXPECT_THAT(html, Not(HasSubstr("free.chat.f1")));
  EXPECT_THAT(html, Not(HasSubstr("By kind of question")));
  EXPECT_THAT(html, Not(HasSubstr("age.1")));
}

TEST(HtmlReport, ShowsMeansOverSeedsAndTheCsvEverySeed) {
  std::vector<ResultRow> rows{row("reliability", 10, 50), row("reliability", 10, 70)};
  rows[0].scope.seed = 1;
  rows[1].scope.seed = 2;
  for (ResultRow& one : rows) {
    one.scope.records = 7;
    one.scope.order = kDrawnOrder;
    one.scope.batch = 1;
    one.scope.run_seed = 42;
  }
  const std::vector<ResultRow> means = over_seeds(rows);
  rows.insert(rows.end(), means.begin(), means.end());
  const RunResults one = run("r", rows);
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr(", mean over 2 seeds\">60.00 <small>±14.14</small></td>"));
  EXPECT_THAT(html, HasSubstr("<td>1</td><td>7 drawn by 2 seeds</td>"));
  EXPECT_THAT(html, HasSubstr("seed of the run: 42"));
  EXPECT_THAT(html, Not(HasSubstr(">50.00")));
  const std::string csv = results_csv(std::span(&one, 1));
  EXPECT_THAT(
      csv,
      HasSubstr(",n,batch,records,order,seed,seeds,spread,run_seed,published,published_by\r\n"));
  EXPECT_THAT(csv, HasSubstr("reliability,70,68,72,1200,1,7,drawn,2,,,42,,\r\n"));
  EXPECT_THAT(csv, HasSubstr("reliability,60,,,2400,1,7,drawn,,2,14.14,42,,\r\n"));
}

/// A row that the X-KDE paper and, by notes, another one report.
ResultRow published_row(double value) {
  ResultRow one = row("reliability", 1, value);
  one.scope.order = kFileOrder;
  one.scope.batch = 1;
  one.scope.records = 743;
  one.published = {{99.93, "X-KDE", "Llama-2-7B-chat", "paper*"},
                   {96.4, "Other", "LLaMA", "paper"}};
  return one;
}

TEST(HtmlReport, ShowsPublishedValuesInTheirCells) {
  const RunResults one = run("r", {published_row(90.5), row("locality", 1, 80.0)});
  const std::string html = html_report(std::span(&one, 1), {});
  EXPECT_THAT(html, HasSubstr(">90.50 <small>±2.00</small><br><small>published 99.93*, "
                              "96.40</small></td>"));
  EXPECT_THAT(html, HasSubstr(">80.00 <small>±2.00</small></td>"));
  EXPECT_THAT(html, HasSubstr("<p class=\"sub\">published: X-KDE (Llama-2-7B-chat); Other (LLaMA); "
                              "* as notes about the paper quote it, not checked</p>"));
}

TEST(Csv, HasPublishedValuesAndTheirPapers) {
  const RunResults one = run("r", {published_row(90.5)});
  EXPECT_THAT(results_csv(std::span(&one, 1)),
              HasSubstr(",1,743,file,,,,,\"99.93*, 96.40\",X-KDE (Llama-2-7B-chat); Other (LLaMA)"
                        "\r\n"));
}

TEST(ComparisonTable, SaysWhichRecordsAndWhatIsPublished) {
  const std::vector<RunResults> runs{run("a", {row("reliability", 1, 50)}),
                                     run("b", {published_row(62.5)})};
  EXPECT_EQ(comparison_table(runs),
            "bmike53, sequential\n  (1) a: XE-IT\n"
            "  (2) b: XE-IT, batch 1, records: 743 in file order\n"
            "edit → test  metric         (1)             (2)      published\n"
            "en → es      reliability  50.00  62.50 (+12.50)  99.93*, 96.40\n"
            "published: X-KDE (Llama-2-7B-chat); Other (LLaMA); * as notes about the paper quote "
            "it, not checked\n");
}

TEST(HtmlReport, WithoutEvaluationsSaysSo) {
  RunResults one = run("r", {});
  one.evaluations.clear();
  EXPECT_THAT(html_report(std::span(&one, 1), {}), HasSubstr("No evaluation is complete."));
}

TEST(ComparisonTable, PutsRunsSideBySideWithTheDifference) {
  const std::vector<RunResults> runs{run("a", {row("reliability", 10, 50)}),
                                     run("b", {row("reliability", 10, 62.5)})};
  EXPECT_EQ(comparison_table(runs),
            "bmike53, sequential, 10 edits\n  (1) a: XE-IT\n  (2) b: XE-IT\n"
            "edit → test  metric         (1)             (2)\n"
            "en → es      reliability  50.00  62.50 (+12.50)\n");
}

TEST(ComparisonTable, OfOneRunHasWhatWasBefore) {
  RunResults one = run("a", {row("reliability", 10, 50)});
  Evaluation before = one.evaluations.front();
  before.label = "before training";
  before.rows.front().value = 20;
  one.evaluations.insert(one.evaluations.begin(), before);
  EXPECT_EQ(comparison_table(std::span(&one, 1)),
            "bmike53, sequential, 10 edits\n  (1) before training\n  (2) XE-IT\n"
            "edit → test  metric         (1)             (2)\n"
            "en → es      reliability  20.00  50.00 (+30.00)\n");
}

TEST(ComparisonTable, OfManyRunsKeepsToAWidthWithEveryNumberAndItsTitles) {
  std::vector<RunResults> runs;
  for (int i = 0; i < 9; ++i)
    runs.push_back(run("a_run_with_a_name_that_is_long_" + std::to_string(i),
                       {published_row(50.5 + i), row("locality", 1, 80.25 + i)}));

  const std::string text = comparison_table(runs, 80);

  std::istringstream lines(text);
  int reliability = 0;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(display_width(line), 80U) << line;
    reliability += line.starts_with("en → es      reliability  ") ? 1 : 0;
  }
  EXPECT_GT(reliability, 1);
  for (int i = 1; i < 9; ++i) {
    EXPECT_THAT(text, HasSubstr(fmt::format(" {:.2f} (+{}.00)", 50.5 + i, i)));
    EXPECT_THAT(text, HasSubstr(fmt::format(" {:.2f} (+{}.00)", 80.25 + i, i)));
  }
}

ResultRow capability_row(const std::string& metric, double value, double half,
                         const std::string& language) {
  return {.scope = {.benchmark = "wiki",
                    .phase = "after",
                    .mode = "perplexity",
                    .size = 0,
                    .method = ""},
          .edit_language = "",
          .test_language = language,
          .metric = metric,
          .value = value,
          .n = 12,
          .low = value - half,
          .high = value + half};
}

TEST(HtmlReport, OfTextsIsByLanguageAndTheSmallestIsBest) {
  RunResults one = run("r", {capability_row("bits_per_byte", 1.25, 0.125, "de"),
                             capability_row("bits_per_byte", 1.5, 0.125, "es"),
                             capability_row("bits_per_byte", 1.75, 0.125, "zh")});
  one.evaluations.push_back({.stage = "02-capability",
                             .label = "XE-IT + TL-PO",
                             .rows = {capability_row("bits_per_byte", 1.125, 0.125, "de")}});

  const std::string html = html_report(std::span(&one, 1), {});

  EXPECT_THAT(html, HasSubstr("<h2>wiki, perplexity</h2>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">de</th>"));
  EXPECT_THAT(html, HasSubstr("<td class=\"best\" title=\"n = 12, 95 %: 1.0000 to 1.2500\">1.1250 "
                              "<small>±0.1250</small></td>"));
  EXPECT_THAT(html, Not(HasSubstr("edit")));
}

TEST(ComparisonTable, OfTextsIsByLanguage) {
  const std::vector<RunResults> runs{run("a", {capability_row("nll", 2.5, 0.5, "de")}),
                                     run("b", {capability_row("nll", 2.25, 0.5, "de")})};

  EXPECT_EQ(comparison_table(runs),
            "wiki, perplexity\n  (1) a: XE-IT\n  (2) b: XE-IT\n"
            "language  metric     (1)               (2)\n"
            "de        nll     2.5000  2.2500 (-0.2500)\n");
}

TEST(EvaluationBlocks, PartsOfMetricsAreKnown) {
  EXPECT_TRUE(is_part("portability.Reasoning"));
  EXPECT_TRUE(is_part("retrieval.hit@1.locality"));
  EXPECT_FALSE(is_part("retrieval.hit@1"));
  EXPECT_FALSE(is_part("exact.reliability"));
  EXPECT_TRUE(is_part("f1.portability.Reasoning"));
}

class RunFolderTest : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_.path() / name).parent_path());
    std::ofstream(root_.path() / name) << text;
  }
  std::string error() {
    try {
      write_report(root_.path());
    } catch (const Error& found) {
      return concat(found.kind(), ": ", found.what());
    }
    return "none";
  }
  test::TempFolder root_;
};

TEST_F(RunFolderTest, IsReadWithWhatIsComplete) {
  write("run.json", R"({"run_name": "r", "exit_reason": "running",)"
                    R"("stages": ["01-evaluate", "02-sft", "03-evaluate", "04-export"]})");
  write("01-evaluate/results.json", results_json({row("reliability", 10, 50)}).dump());
  write("01-evaluate/predictions.jsonl",
        R"({"record":3,"mode":"sequential","size":10,"edit_language":"en","test_language":"es",)"
        R"("metric":"reliability","probe":0,"prompt":"p","score":0.5})"
        "\n"
        R"({"record":3,"mode":"sequential","size":10,"edit_language":"en","test_language":"es",)"
        R"("metric":"locality.Forgetfulness","probe":0,"prompt":"p","score":1.0})"
        "\n");
  write("02-sft/metrics.jsonl", "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"lo");
  write("03-evaluate/metrics.jsonl", "");

  EXPECT_EQ(error(), "none");
  const RunResults results = read_run(root_.path());
  EXPECT_FALSE(results.is_finished);
  ASSERT_EQ(results.evaluations.size(), 1U);
  EXPECT_EQ(results.evaluations[0].label, "before training");
  ASSERT_EQ(results.trainings.size(), 1U);
  EXPECT_EQ(results.trainings[0].series.at("loss").size(), 1U);
  const Json easy = read_json_file(root_.path() / "report/01-evaluate_sequential_10_en_es.json");
  EXPECT_EQ(easy[0].dump(),
            R"({"case_id":3,"prompt":"p","pre":{},"post":{"locality":{"Forgetfulness_acc":[1.0]},)"
            R"("portability":{},"rewrite_acc":[0.5]}})");
  EXPECT_TRUE(std::filesystem::exists(root_.path() / "report/02-sft.csv"));
}

TEST_F(RunFolderTest, HasTheStagesThatRunJsonNamesInItsOrderAndNoOthers) {
  write("run.json", R"({"stages": ["05-evaluate", "02-sft", "03-evaluate"]})");
  for (const char* name : {"01-evaluate", "03-evaluate", "05-evaluate", "03-evaluate.old-1"})
    write(std::string(name) + "/results.json", results_json({row("reliability", 10, 50)}).dump());
  for (const char* name : {"02-sft", "04-sft"})
    write(std::string(name) + "/metrics.jsonl", "{\"step\":1,\"loss\":2.5}\n");

  const RunResults results = read_run(root_.path());

  ASSERT_EQ(results.evaluations.size(), 2U);
  EXPECT_EQ(results.evaluations[0].stage, "05-evaluate");
  EXPECT_EQ(results.evaluations[0].label, "before training");
  EXPECT_EQ(results.evaluations[1].stage, "03-evaluate");
  EXPECT_EQ(results.evaluations[1].label, "XE-IT");
  ASSERT_EQ(results.trainings.size(), 1U);
  EXPECT_EQ(results.trainings[0].stage, "02-sft");
}

TEST_F(RunFolderTest, NamesEditsThatWereWrittenAndNotTakenBack) {
  write("run.json", R"({"stages": ["01-edit", "02-evaluate", "03-edit", "04-evaluate", "05-edit",
      "06-sft", "07-edit", "08-evaluate"], "recipe": {"stages": [{"edit": {"method": "memit"}},
      {"evaluate": {}}, {"edit": {"revert": true}}, {"evaluate": {}}, {"edit": {"method": "rome"}},
      {"sft": {}}, {"edit": {"revert": true}}, {"evaluate": {}}]}})");
  for (const char* name : {"02-evaluate", "04-evaluate", "08-evaluate"})
    write(std::string(name) + "/results.json", results_json({row("reliability", 10, 50)}).dump());
  for (const char* name : {"01-edit", "03-edit", "05-edit", "07-edit"})
    write(std::string(name) + "/DONE", "");
  write("06-sft/metrics.jsonl", "{\"step\":1,\"loss\":2.5}\n");

  const RunResults results = read_run(root_.path());

  ASSERT_EQ(results.evaluations.size(), 3U);
  EXPECT_EQ(results.evaluations[0].label, "edits by memit");
  EXPECT_EQ(results.evaluations[1].label, "before training");
  EXPECT_EQ(results.evaluations[2].label, "edits by rome + XE-IT");
}

TEST_F(RunFolderTest, WithATextThatIsNoneIsADataError) {
  write("run.json", R"({"run_name": "r", "exit_reason": 7})");

  EXPECT_THAT(error(), testing::AllOf(HasSubstr("DataError"), HasSubstr("run.json: exit_reason")));
}

TEST(HtmlReport, IsKnownAgain) {
  const RunResults one = run("r", {});
  EXPECT_TRUE(is_html_report(html_report(std::span(&one, 1), {})));
  EXPECT_FALSE(is_html_report("<!doctype html>\n<html lang=\"en\"><head><title>mine</title>"));
}

TEST_F(RunFolderTest, WithoutRunJsonIsMissingInput) {
  EXPECT_THAT(error(), HasSubstr("MissingInputError"));
}

TEST_F(RunFolderTest, ResultsCutShortAreADataErrorThatNamesTheFile) {
  write("run.json", R"({"stages": ["01-evaluate"]})");
  write("01-evaluate/results.json", "[{\"benchmark\":");
  EXPECT_THAT(error(), testing::AllOf(HasSubstr("DataError"), HasSubstr("results.json")));
}

}  // namespace
}  // namespace xkde::report
