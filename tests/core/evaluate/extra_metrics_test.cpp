#include "core/evaluate/extra_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/evaluate/edit_metrics.h"
#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using Keys = std::vector<std::string>;

std::vector<std::string_view> names_of(const Keys& keys) {
  std::vector<std::string_view> names;
  for (const ExtraMetric* metric : chosen_metrics(keys)) names.push_back(metric->name);
  return names;
}

const ExtraMetric& metric(std::string_view name) {
  for (const ExtraMetric& one : extra_metrics()) {
    if (one.name == name) return one;
  }
  throw InternalError("no such metric");
}

TEST(ExtraMetrics, AreChosenByKeyInTheOrderOfTheTable) {
  EXPECT_THAT(extra_metric_keys(), ElementsAre("fluency", "f1", "exact"));
  EXPECT_THAT(names_of({"exact", "f1"}), ElementsAre("f1", "em", "exact"));
  EXPECT_TRUE(names_of({}).empty());
}

TEST(ExtraMetrics, SayWhatTheyLookAt) {
  EXPECT_TRUE(needs(Keys{"exact"}, MetricInput::kFreeAnswer));
  EXPECT_FALSE(needs(Keys{"f1", "fluency"}, MetricInput::kFreeAnswer));
  EXPECT_TRUE(needs(Keys{"f1", "fluency"}, MetricInput::kContinuation));
  EXPECT_FALSE(needs(Keys{}, MetricInput::kTokens));
}

TEST(ExtraMetrics, OverlapCountsIdsOfTheDecodedTexts) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const std::vector<int64_t> said = test::byte_ids("abcd"), wanted = test::byte_ids("abxy");
  Answered answered{.predicted_ids = said, .target_ids = wanted, .tokenizer = &tokenizer};

  // "ab" is one token once the texts are tokenised again: one of three ids is common.
  EXPECT_DOUBLE_EQ(metric("f1").score(answered), 1.0 / 3.0);
  EXPECT_EQ(metric("em").score(answered), 0.0);
  answered.f1_formula = F1Formula::kSquared;
  EXPECT_DOUBLE_EQ(metric("f1").score(answered), 1.0 / 9.0);
  answered.target_ids = said;
  EXPECT_EQ(metric("em").score(answered), 1.0);
}

TEST(ExtraMetrics, ExactTakesAnyRightAnswerOfTheLanguage) {
  const Keys right{"Rom", "Berlin"};
  const Answered answered{.text = "the berlin.", .right = right, .language = "en"};
  EXPECT_EQ(metric("exact").score(answered), 1.0);
  EXPECT_EQ(metric("exact").score({.text = "Paris", .right = right, .language = "en"}), 0.0);
}

TEST(ExtraMetrics, FluencyIsLowForAWordThatRepeats) {
  EXPECT_LT(metric("fluency").score({.text = "a a a a a a"}),
            metric("fluency").score({.text = "one two three four five six"}));
}

TEST(ExtraMetrics, StandInAPredictionInTheirOrderBehindTheAnswer) {
  Prediction prediction;
  prediction.base_locality = 1.0;
  prediction.answer = "Rome";
  prediction.extra = {{&metric("f1"), 0.5}, {&metric("em"), 0.0}, {&metric("exact"), 1.0}};
  const std::string text =
      prediction_json({.benchmark = "b", .phase = "before", .mode = "single", .method = "xkde"},
                      prediction)
          .dump();
  EXPECT_THAT(text, testing::HasSubstr(R"("retrieved":null,"base_locality":1.0,"f1":0.5,"em":0.0,)"
                                       R"("answer":"Rome","exact":1.0)"));
}

TEST(ExtraMetrics, BecomeRowsInTheirOrder) {
  std::vector<Prediction> predictions(2);
  predictions[0].extra = {{&metric("em"), 0.0}, {&metric("exact"), 1.0}};
  predictions[1].record = 1;
  predictions[1].extra = {{&metric("f1"), 0.5}, {&metric("em"), 1.0}};
  std::vector<std::string> rows;
  for (const ResultRow& row : summarize({}, {"en", "es"}, predictions, {}, {})) {
    if (row.metric.find('.') != std::string::npos)
      rows.push_back(row.metric + " " + std::to_string(row.n));
  }
  EXPECT_THAT(rows, ElementsAre("f1.reliability 1", "em.reliability 2", "exact.reliability 1"));
}

}  // namespace
}  // namespace xkde
