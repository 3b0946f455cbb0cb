#include "core/edit/edit_metrics.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using Ids = std::vector<int64_t>;

const std::vector<LanguagePair> kPairs{{"en", "es"}, {"en", "cz"}};
const EvalScope kScope{"bmike53", "before", "single", 1};

Prediction prediction(int64_t record, const std::string& test, Metric metric, double score) {
  Prediction p;
  p.record = record;
  p.edit_language = "en";
  p.test_language = test;
  p.metric = metric;
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

TEST(Summarize, IsThePlainMeanInPercent) {
  const std::vector<Prediction> predictions{prediction(0, "es", Metric::kReliability, 1.0),
                                            prediction(1, "es", Metric::kReliability, 0.5),
                                            prediction(2, "es", Metric::kReliability, 0.0),
                                            prediction(0, "cz", Metric::kLocality, 2.0 / 3.0)};

  const std::vector<ResultRow> rows = summarize(kScope, kPairs, predictions);

  ASSERT_EQ(rows.size(), 8U);
  EXPECT_EQ(rows[0].metric, "reliability");
  EXPECT_EQ(rows[0].test_language, "es");
  EXPECT_EQ(rows[0].value, 50.0);
  EXPECT_EQ(rows[0].n, 3);
  EXPECT_EQ(rows[6].metric, "locality");
  EXPECT_EQ(rows[6].test_language, "cz");
  EXPECT_EQ(rows[6].value, 66.67);
}

TEST(Summarize, MetricNobodyAskedHasNoValue) {
  const std::vector<ResultRow> rows = summarize(kScope, kPairs, {});

  ASSERT_EQ(rows.size(), 8U);
  EXPECT_FALSE(rows[3].value.has_value());
  EXPECT_EQ(
      result_json(rows[3]).dump(),
      R"({"benchmark":"bmike53","phase":"before","mode":"single","size":1,"edit_language":"en",)"
      R"("test_language":"es","metric":"portability","value":null,"n":0})");
}

TEST(SortPredictions, OrderDoesNotDependOnWhoFinishedFirst) {
  std::vector<Prediction> ordered;
  for (const auto& [edit, test] : kPairs) {
    for (int64_t record = 0; record < 3; ++record) {
      for (const Metric metric : kMetrics) ordered.push_back(prediction(record, test, metric, 0.1));
    }
  }
  std::vector<Prediction> shuffled = ordered;
  std::reverse(shuffled.begin(), shuffled.end());
  std::rotate(shuffled.begin(), shuffled.begin() + 5, shuffled.end());

  sort_predictions(shuffled, kPairs);

  for (size_t i = 0; i < ordered.size(); ++i) {
    EXPECT_EQ(prediction_json(kScope, shuffled[i]), prediction_json(kScope, ordered[i]));
  }
}

TEST(SortPredictions, PairOutsideTheEvaluationIsABug) {
  std::vector<Prediction> predictions{prediction(4, "zh", Metric::kLocality, 1)};
  try {
    sort_predictions(predictions, kPairs);
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("record 4: the pair en -> zh is not one of this evaluation"));
  }
}

TEST(PredictionJson, HasTheFieldsOfTheContractInOrder) {
  Prediction p = prediction(7, "cz", Metric::kPortability, 0.5);
  p.prompt = "q";
  p.target_ids = {1, 2};
  p.predicted_ids = {1, 3};

  EXPECT_EQ(
      prediction_json(kScope, p).dump(),
      R"({"record":7,"phase":"before","mode":"single","size":1,"edit_language":"en","test_language":"cz",)"
      R"("metric":"portability","prompt":"q","target_ids":[1,2],"predicted_ids":[1,3],"score":0.5,)"
      R"("retrieved":null})");
  p.retrieved = {7};
  EXPECT_EQ(prediction_json(kScope, p)["retrieved"].dump(), "[7]");
}

TEST(ParseResults, ReadsWhatWasWritten) {
  const std::vector<ResultRow> rows =
      summarize(kScope, kPairs, {prediction(0, "es", Metric::kReliability, 1.0 / 3.0)});

  const std::vector<ResultRow> again = parse_results(results_json(rows), "results.json");

  EXPECT_EQ(results_json(again), results_json(rows));
}

TEST(ParseResults, MalformedRowIsADataErrorThatNamesIt) {
  Json json = results_json(summarize(kScope, kPairs, {}));
  json[2]["n"] = "many";
  try {
    parse_results(json, "results.json");
    FAIL();
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(),
                HasSubstr("results.json: row 2: n: expected an integer, found \"many\""));
  }
}

}  // namespace
}  // namespace xkde
