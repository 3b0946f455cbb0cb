#include "core/evaluate/edit_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Ids = std::vector<int64_t>;

const LanguagePair kPair{"en", "cz"};
const EvalScope kScope{"bmike53", "before", "single", 1, "xkde"};

Prediction prediction(int64_t record, Metric metric, double score) {
  Prediction p;
  p.record = record;
  p.edit_language = "en";
  p.test_language = "cz";
  p.kind.metric = metric;
  p.score = score;
  return p;
}

TEST(TokenAccuracy, IsTheShareOfEqualIds) {
  EXPECT_DOUBLE_EQ(token_accuracy(Ids{5, 7, 9}, Ids{5, 8, 9}), 2.0 / 3.0);
  EXPECT_EQ(token_accuracy(Ids{5}, Ids{5}), 1.0);
}

TEST(TokenAccuracy, LocalityExampleOfTheReadmeRounds) {
  EXPECT_EQ(round_2(100 * token_accuracy(Ids{29, 234, 333}, Ids{29, 234, 334})), 66.67);
}

TEST(TokenAccuracy, UnequalOrEmptyListsAreABug) {
  EXPECT_THROW(token_accuracy(Ids{1, 2}, Ids{1}), InternalError);
  EXPECT_THROW(token_accuracy(Ids{}, Ids{}), InternalError);
}

TEST(Round2, HalvesGoToEvenOnTheBinaryDouble) {
  // Expected values are Python's round(x, 2).
  EXPECT_EQ(round_2(0.125), 0.12);
  EXPECT_EQ(round_2(0.375), 0.38);
  EXPECT_EQ(round_2(2.675), 2.67);
  EXPECT_EQ(round_2(1.005), 1.0);
  EXPECT_EQ(round_2(66.666666), 66.67);
  EXPECT_EQ(round_2(100.0), 100.0);
  EXPECT_EQ(round_2(54.845), 54.84);
}

const ResultRow& row_of(const std::vector<ResultRow>& rows, const std::string& metric) {
  for (const ResultRow& row : rows) {
    if (row.metric == metric) return row;
  }
  throw InternalError("no row " + metric);
}

std::vector<std::string> metrics_of(const std::vector<ResultRow>& rows) {
  std::vector<std::string> metrics;
  for (const ResultRow& row : rows) metrics.push_back(row.metric);
  return metrics;
}

TEST(Summarize, IsThePlainMeanInPercent) {
  const std::vector<Prediction> predictions{
      prediction(0, Metric::kReliability, 1.0), prediction(0, Metric::kLocality, 2.0 / 3.0),
      prediction(1, Metric::kReliability, 0.5), prediction(2, Metric::kReliability, 0.0)};

  const std::vector<ResultRow> rows = summarize(kScope, kPair, predictions, {}, {});

  EXPECT_THAT(metrics_of(rows),
              ElementsAre("reliability", "generality", "locality", "portability"));
  EXPECT_EQ(rows[0].test_language, "cz");
  EXPECT_EQ(rows[0].value, 50.0);
  EXPECT_EQ(rows[0].n, 3);
  EXPECT_EQ(rows[2].value, 66.67);
}

TEST(Summarize, ProbesHaveRowsWhereTheyWereAskedAndHitsLeaveThemOut) {
  std::vector<Prediction> predictions{
      prediction(0, Metric::kReliability, 1.0), prediction(0, Metric::kFactCheck, 1.0),
      prediction(0, Metric::kFactCheck, 0.5), prediction(0, Metric::kPersona, 0.25)};
  predictions[0].rank_of_fact = 1;
  predictions[1].kind.probe = ProbeKind::kNewAnswer;
  predictions[2].kind.probe = ProbeKind::kOldAnswer;

  const std::vector<ResultRow> rows = summarize(kScope, kPair, predictions, {}, {.k = 1});

  EXPECT_THAT(metrics_of(rows),
              ElementsAre("reliability", "generality", "locality", "portability", "fact_check",
                          "fact_check.new", "fact_check.old", "persona", "retrieval.hit@1",
                          "retrieval.hit@1.reliability", "retrieval.hit@1.fact_check",
                          "retrieval.hit@1.fact_check.new", "retrieval.hit@1.fact_check.old",
                          "retrieval.hit@1.persona"));
  EXPECT_EQ(row_of(rows, "fact_check").value, 75.0);
  EXPECT_EQ(row_of(rows, "persona").value, 25.0);
  EXPECT_EQ(row_of(rows, "retrieval.hit@1").value, 100.0);
  EXPECT_EQ(row_of(rows, "retrieval.hit@1").n, 1);
}

TEST(Summarize, ByAgeStandsWhatWasSaidAtTheEndAndAtOnce) {
  std::vector<Prediction> predictions;
  for (int64_t record = 0; record < 7; ++record) {
    predictions.push_back(prediction(record, Metric::kReliability, record < 2 ? 0.0 : 1.0));
    predictions.back().age = 7 - record;
    predictions.back().at_once = {prediction(record, Metric::kReliability, 1.0)};
    predictions.push_back(prediction(record, Metric::kLocality, 1.0));
    predictions.back().age = 7 - record;
  }

  const std::vector<ResultRow> rows = summarize(kScope, kPair, predictions, {}, {});

  EXPECT_THAT(
      metrics_of(rows),
      ElementsAre("reliability", "generality", "locality", "portability", "age.1.reliability",
                  "age.1.at_once.reliability", "age.2-5.reliability", "age.2-5.at_once.reliability",
                  "age.6-10.reliability", "age.6-10.at_once.reliability"));
  EXPECT_EQ(row_of(rows, "age.6-10.reliability").value, 0.0);
  EXPECT_EQ(row_of(rows, "age.6-10.reliability").n, 2);
  EXPECT_EQ(row_of(rows, "age.6-10.at_once.reliability").value, 100.0);
  EXPECT_EQ(row_of(rows, "age.2-5.reliability").n, 4);
}

TEST(OverSeeds, MeansHaveTheSpreadOfTheValues) {
  std::vector<ResultRow> rows;
  for (const double value : {10.0, 20.0, 60.0}) {
    ResultRow row{.scope = kScope,
                  .edit_language = "en",
                  .test_language = "cz",
                  .metric = "reliability",
                  .value = value,
                  .n = 4,
                  .low = 1.0,
                  .high = 99.0};
    row.scope.seed = std::ssize(rows) + 1;
    row.scope.records = 4;
    row.scope.order = kDrawnOrder;
    rows.push_back(row);
  }
  rows.push_back(rows.front());
  rows.back().metric = "generality";
  rows.back().value.reset();
  rows.back().n = 0;

  const std::vector<ResultRow> means = over_seeds(rows);

  ASSERT_EQ(means.size(), 2U);
  EXPECT_EQ(means[0].value, 30.0);
  EXPECT_EQ(means[0].spread, 26.46);  // Of 10, 20 and 60, by Python's statistics.stdev.
  EXPECT_EQ(means[0].n, 12);
  EXPECT_EQ(means[0].num_seeds, 3);
  EXPECT_FALSE(means[0].low);
  EXPECT_FALSE(means[1].value);
  rows.insert(rows.end(), means.begin(), means.end());
  const std::vector<ResultRow> again = parse_results(results_json(rows), "results.json");
  ASSERT_EQ(again.size(), rows.size());
  EXPECT_EQ(again[1].scope.seed, 2);
  EXPECT_FALSE(again[4].scope.seed);
  EXPECT_EQ(again[4].spread, 26.46);
  EXPECT_EQ(result_json(rows[0])["order"], "drawn");
  EXPECT_EQ(result_json(rows[0])["records"], 4);
  EXPECT_FALSE(result_json(rows[0]).contains("spread"));
  EXPECT_TRUE(result_json(means[1])["spread"].is_null());
}

TEST(Summarize, ByAgeStandsWhatAJudgeSaidOfFreeAnswers) {
  std::vector<Prediction> predictions{prediction(0, Metric::kReliability, 0.0)};
  predictions[0].age = 1;
  predictions[0].free = {
      {FreeContext::kChat, {"x", true}, {}, {}, JudgedAnswer{0, JudgeVerdict{-2, -0.25}}}};
  Prediction at_once = predictions[0];
  at_once.free[0].judged->verdict = JudgeVerdict{-0.25, -2};
  predictions[0].at_once = {at_once};

  const std::vector<ResultRow> rows = summarize(kScope, kPair, predictions, {}, {});

  EXPECT_EQ(row_of(rows, "age.1.free.chat.judge.reliability").value, 0.0);
  EXPECT_EQ(row_of(rows, "age.1.at_once.free.chat.judge.reliability").value, 100.0);
}

TEST(Summarize, MetricNobodyAskedHasNoValue) {
  const std::vector<ResultRow> rows = summarize(kScope, kPair, {}, {}, {});

  ASSERT_EQ(rows.size(), 4U);
  EXPECT_FALSE(rows[3].value.has_value());
  EXPECT_EQ(result_json(rows[3]).dump(),
            R"({"benchmark":"bmike53","phase":"before","mode":"single","size":1,)"
            R"("edit_language":"en","test_language":"cz","metric":"portability","value":null,)"
            R"("n":0,"low":null,"high":null,"method":"xkde"})");
}

TEST(Summarize, IntervalsAreInPercentAndHoldTheValue) {
  const std::vector<Prediction> predictions{prediction(0, Metric::kReliability, 1.0),
                                            prediction(1, Metric::kReliability, 0.5),
                                            prediction(2, Metric::kReliability, 0.0)};

  const ResultRow row =
      summarize(kScope, kPair, predictions, {}, {.resamples = 200, .seed = 42}).front();

  EXPECT_LT(row.low, row.value);
  EXPECT_GT(row.high, row.value);
  EXPECT_GE(row.low, 0.0);
  EXPECT_LE(row.high, 100.0);
  EXPECT_FALSE(summarize(kScope, kPair, predictions, {}, {}).front().low.has_value());
}

/// Record 0: Reasoning 1 and 0, Subject_Aliasing 1. Record 1: Reasoning 0.
std::vector<Prediction> portability() {
  std::vector<Prediction> predictions;
  const auto add = [&predictions](int64_t record, ProbeKind kind, double score) {
    predictions.push_back(prediction(record, Metric::kPortability, score));
    predictions.back().kind.probe = kind;
  };
  add(0, ProbeKind::kReasoning, 1);
  add(0, ProbeKind::kReasoning, 0);
  add(0, ProbeKind::kSubjectAliasing, 1);
  add(1, ProbeKind::kReasoning, 0);
  return predictions;
}

TEST(Summarize, EasyEditAveragesPromptsThenKindsThenRecords) {
  const std::vector<ResultRow> rows = summarize(kScope, kPair, portability(), {}, {});

  EXPECT_EQ(row_of(rows, "portability").value, 37.5);  // (0.75 + 0) / 2
  EXPECT_EQ(row_of(rows, "portability").n, 2);
  EXPECT_EQ(row_of(rows, "portability.Reasoning").value, 25.0);
  EXPECT_EQ(row_of(rows, "portability.Subject_Aliasing").n, 1);
}

TEST(Summarize, LteAveragesTheKindsMeans) {
  const std::vector<ResultRow> rows =
      summarize(kScope, kPair, portability(), {}, {.averaging = Averaging::kLte});

  EXPECT_EQ(row_of(rows, "portability").value, 62.5);  // (0.25 + 1) / 2
}

TEST(Summarize, LteReportsReliabilityOverTheRecordsOfEachKind) {
  std::vector<Prediction> predictions = portability();
  predictions.insert(predictions.begin(), {prediction(0, Metric::kReliability, 1),
                                           prediction(1, Metric::kReliability, 0.5)});

  const std::vector<ResultRow> rows =
      summarize(kScope, kPair, predictions, {}, {.averaging = Averaging::kLte});

  EXPECT_EQ(row_of(rows, "reliability.portability.Reasoning").value, 75.0);
  EXPECT_EQ(row_of(rows, "reliability.portability.Subject_Aliasing").value, 100.0);
}

TEST(Summarize, CountsWhatElseWasAskedByMetric) {
  std::vector<Prediction> predictions{prediction(0, Metric::kReliability, 1),
                                      prediction(0, Metric::kLocality, 1)};
  predictions[0].rank_of_fact = 2;
  predictions[1].rank_of_fact = 1;
  predictions[0].extra = {{chosen_metrics(std::vector<std::string>{"f1"}).front(), 0.25}};
  predictions[1].base_locality = 0.5;

  const std::vector<ResultRow> rows =
      summarize(kScope, kPair, predictions, std::vector{MetricSeries{"fluency", {5.0}}}, {.k = 3});

  EXPECT_THAT(
      metrics_of(rows),
      ElementsAre("reliability", "generality", "locality", "portability", "fluency",
                  "base_locality", "f1.reliability", "retrieval.hit@1",
                  "retrieval.hit@1.reliability", "retrieval.hit@1.locality", "retrieval.hit@3",
                  "retrieval.hit@3.reliability", "retrieval.hit@3.locality"));
  EXPECT_EQ(row_of(rows, "fluency").value, 500.0);
  EXPECT_EQ(row_of(rows, "base_locality").value, 50.0);
  EXPECT_EQ(row_of(rows, "f1.reliability").value, 25.0);
  EXPECT_EQ(row_of(rows, "retrieval.hit@1").value, 50.0);
  EXPECT_EQ(row_of(rows, "retrieval.hit@1.reliability").value, 0.0);
  EXPECT_EQ(row_of(rows, "retrieval.hit@3").value, 100.0);
}

TEST(PredictionJson, HasTheFieldsOfTheContractInOrder) {
  Prediction p = prediction(7, Metric::kPortability, 0.5);
  p.prompt = "q";
  p.target_ids = {1, 2};
  p.predicted_ids = {1, 3};
  p.fact = "f q a";
  p.question = "q?";
  p.target = "a";
  p.target_text = " a";
  p.predicted_text = " b";

  EXPECT_EQ(
      prediction_json(kScope, p).dump(),
      R"({"record":7,"phase":"before","mode":"single","size":1,"edit_language":"en","test_language":"cz",)"
      R"("metric":"portability","probe":0,"prompt":"q","target_ids":[1,2],"predicted_ids":[1,3],"score":0.5,)"
      R"("retrieved":null,"fact":"f q a","question":"q?","target":"a","target_text":" a","predicted_text":" b"})");
  p.retrieved = {7};
  EXPECT_EQ(prediction_json(kScope, p)["retrieved"].dump(), "[7]");
}

TEST(ParseResults, ReadsWhatWasWritten) {
  const std::vector<ResultRow> rows =
      summarize(kScope, kPair, std::vector{prediction(0, Metric::kReliability, 1.0 / 3.0)}, {}, {});

  const std::vector<ResultRow> again = parse_results(results_json(rows), "results.json");

  EXPECT_EQ(results_json(again), results_json(rows));
}

TEST(ParseResults, MalformedRowIsADataErrorThatNamesIt) {
  Json json = results_json(summarize(kScope, kPair, {}, {}, {}));
  json[2]["n"] = "many";
  try {
    parse_results(json, "results.json");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("results.json: row 2: n: expected an integer, found \"many\""));
  }
}

TEST(Summary, HasFreeAnswersByContextScorerAndMetric) {
  const FreeScorer& exact = free_scorers().front();
  Prediction told = prediction(0, Metric::kReliability, 1.0);
  told.free = {{FreeContext::kQuestion, {"Rome", true}, {{&exact, 1.0}}},
               {FreeContext::kChat, {"It is", false}, {{&exact, 0.0}}}};
  Prediction kept = prediction(0, Metric::kLocality, 1.0);
  kept.free = {{FreeContext::kChat, {"far", true}, {{&exact, 1.0}}, {{&exact, 0.0}}}};

  std::vector<std::string> rows;
  for (const ResultRow& row : summarize(kScope, kPair, std::vector{told, kept}, {}, {})) {
    if (row.metric.find("free") != std::string::npos)
      rows.push_back(concat(row.metric, " ", *row.value));
  }

  EXPECT_THAT(rows, testing::ElementsAre(
                        "free.question.exact.reliability 100",
                        "free.question.did_not_stop.reliability 0", "free.chat.exact.reliability 0",
                        "free.chat.exact.locality 100", "free.chat.did_not_stop.reliability 100",
                        "free.chat.did_not_stop.locality 0", "base_free.chat.exact.locality 0"));
  EXPECT_EQ(prediction_json(kScope, kept)["free"].dump(),
            R"({"chat":{"answer":"far","stopped":true,"exact":1.0,"base_exact":0.0}})");
}

TEST(Summary, HasVerdictsOfAJudgeBehindTheScorers) {
  const FreeScorer& exact = free_scorers().front();
  const auto judged = [](bool right) {
    return JudgedAnswer{0, right ? JudgeVerdict{-0.25, -2} : JudgeVerdict{-2, -0.25}};
  };
  Prediction told = prediction(0, Metric::kReliability, 1.0);
  told.free = {{FreeContext::kChat, {"Roma", true}, {{&exact, 0.0}}, {}, judged(true)}};
  Prediction unknown = prediction(1, Metric::kReliability, 1.0);
  unknown.free = {{FreeContext::kChat, {"x", true}, {{&exact, 0.0}}, {}, JudgedAnswer{}}};
  Prediction kept = prediction(0, Metric::kLocality, 1.0);
  kept.free = {
      {FreeContext::kChat, {"far", true}, {{&exact, 1.0}}, {}, judged(true), judged(false)}};

  std::vector<std::string> rows;
  for (const ResultRow& row : summarize(kScope, kPair, std::vector{told, unknown, kept}, {}, {})) {
    if (row.metric.find("free") != std::string::npos)
      rows.push_back(concat(row.metric, " ", *row.value, " of ", row.n));
  }

  EXPECT_THAT(
      rows, testing::ElementsAre(
                "free.chat.exact.reliability 0 of 2", "free.chat.exact.locality 100 of 1",
                "free.chat.judge.reliability 100 of 1", "free.chat.judge.locality 100 of 1",
                "free.chat.did_not_stop.reliability 0 of 2",
                "free.chat.did_not_stop.locality 0 of 1", "base_free.chat.judge.locality 0 of 1"));
  EXPECT_EQ(prediction_json(kScope, kept)["free"].dump(),
            R"({"chat":{"answer":"far","stopped":true,"exact":1.0,"judge":1.0,)"
            R"("judge_log_probs":{"yes":-0.25,"no":-2.0},"base_judge":0.0,)"
            R"("base_judge_log_probs":{"yes":-2.0,"no":-0.25}}})");
  EXPECT_FALSE(prediction_json(kScope, unknown)["free"]["chat"].contains("judge"));
}

}  // namespace
}  // namespace xkde
