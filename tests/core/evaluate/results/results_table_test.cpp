#include "core/evaluate/results/results_table.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::HasSubstr;

ResultRow row(const std::string& phase, const std::string& test, const std::string& metric,
              std::optional<double> value) {
  return {{"bmike53", phase, "single", 1, "xkde"}, "en", test, metric, value, value ? 25 : 0};
}

TEST(ResultsTable, OnePhaseIsPlain) {
  EXPECT_EQ(
      results_table(
          {row("after", "es", "reliability", 73.8), row("after", "es", "locality", std::nullopt),
           row("after", "fr", "reliability", 100.0), row("after", "fr", "locality", 5.25)}),
      "bmike53, single\n"
      "edit → test  reliability  locality\n"
      "en → es            73.80         -\n"
      "en → fr           100.00      5.25\n");
}

TEST(ResultsTable, SaysWhichRecordsAndWhatIsPublished) {
  ResultRow es = row("before", "es", "reliability", 73.8);
  es.scope.order = kFileOrder;
  es.scope.batch = 1;
  es.scope.records = 743;
  ResultRow fr = es;
  fr.test_language = "fr";
  fr.value = 70.0;
  fr.published = {{94.81, "X-KDE", "Llama-2-7B-chat", "paper*"}};

  EXPECT_EQ(
      results_table({es, fr}),
      "bmike53, single\n"
      "edit → test  batch            records               reliability\n"
      "en → es          1  743 in file order                     73.80\n"
      "en → fr          1  743 in file order  70.00 [published 94.81*]\n"
      "published: X-KDE (Llama-2-7B-chat); * as notes about the paper quote it, not checked\n");
}

TEST(ResultsTable, TwoPhasesShowTheGain) {
  EXPECT_EQ(results_table(
                {row("before", "es", "reliability", 54.8), row("before", "es", "locality", 90.0),
                 row("after", "es", "reliability", 73.8), row("after", "es", "locality", 88.5)}),
            "bmike53, single\n"
            "edit → test             reliability               locality\n"
            "en → es      54.80 → 73.80 (+19.00)  90.00 → 88.50 (-1.50)\n");
}

TEST(ResultsTable, MoreEvaluationsStandInTheirOrder) {
  const std::vector<ResultRow> rows = {row("before", "es", "reliability", 54.8),
                                       row("after", "es", "reliability", 73.8),
                                       row("after", "es", "reliability", 74.6)};

  EXPECT_THAT(results_table(rows), HasSubstr("en → es      54.80 → 73.80 → 74.60\n"));
}

TEST(ResultsTable, WhatIsNotAboutEditsStandsByLanguageAndPerplexityIsNoPercentage) {
  const auto of = [](const std::string& phase, const std::string& metric, double value) {
    return ResultRow{{"wiki", phase, "perplexity", 0, ""}, "", "de", metric, value, 3};
  };

  EXPECT_EQ(results_table({of("before", "perplexity", 12.5), of("before", "bits_per_byte", 1.25),
                           of("after", "perplexity", 13.0), of("after", "bits_per_byte", 1.2188)}),
            "wiki, perplexity\n"
            "language             perplexity              bits_per_byte\n"
            "de        12.50 → 13.00 (+0.50)  1.2500 → 1.2188 (-0.0312)\n");
}

TEST(ResultsTable, OnANarrowTerminalMetricsStandInBlocksWithEveryNumber) {
  EXPECT_EQ(results_table(
                {row("before", "es", "reliability", 54.8), row("before", "es", "locality", 90.0),
                 row("after", "es", "reliability", 73.8), row("after", "es", "locality", 88.5)},
                40),
            "bmike53, single\n"
            "edit → test             reliability\n"
            "en → es      54.80 → 73.80 (+19.00)\n"
            "\n"
            "edit → test               locality\n"
            "en → es      90.00 → 88.50 (-1.50)\n");
}

TEST(ResultsTable, PartsOfMetricsAreLeftOutAndMethodsStandApart) {
  std::vector<ResultRow> rows{
      row("after", "es", "reliability", 50), row("after", "es", "f1.reliability", 60),
      row("after", "es", "retrieval.hit@1", 70), row("after", "es", "retrieval.hit@1.locality", 80),
      row("after", "es", "reliability", 90)};
  rows.back().scope.method = "ike";

  EXPECT_EQ(results_table(rows),
            "bmike53, single\n"
            "edit → test  reliability  retrieval.hit@1\n"
            "en → es            50.00            70.00\n"
            "\n"
            "bmike53, single, method ike\n"
            "edit → test  reliability\n"
            "en → es            90.00\n");
}

TEST(ResultsTable, PhaseWithoutAValueHasNoGain) {
  EXPECT_THAT(results_table({row("before", "es", "locality", std::nullopt),
                             row("after", "es", "locality", 50)}),
              HasSubstr("en → es      - → 50.00\n"));
}

TEST(ResultsTable, ModesAndSizesAreBlocksOfTheirOwn) {
  ResultRow batch = row("after", "es", "reliability", 60);
  batch.scope.mode = "batch";
  batch.scope.size = 100;

  const std::string text = results_table({row("after", "es", "reliability", 70), batch});

  EXPECT_THAT(text, HasSubstr("bmike53, single\n"));
  EXPECT_THAT(text, HasSubstr("\n\nbmike53, batch, 100 edits\n"));
}

TEST(ResultsTable, NoRowsGiveNoText) { EXPECT_EQ(results_table({}), ""); }

TEST(ResultsTable, FreeAnswersHaveABlockOfTheirOwn) {
  EXPECT_EQ(results_table({row("after", "es", "reliability", 73.8),
                           row("after", "es", "free.chat.exact.reliability", 40.0),
                           row("after", "es", "free.chat.exact.portability", 12.5),
                           row("after", "es", "free.chat.exact.portability.Reasoning", 1.0),
                           row("after", "es", "free.chat.did_not_stop.reliability", 7.0),
                           row("after", "es", "base_free.chat.exact.locality", 3.0)}),
            "bmike53, single\n"
            "edit → test  reliability\n"
            "en → es            73.80\n"
            "\n"
            "bmike53, single, answered freely\n"
            "edit → test, context, metric  exact  did_not_stop\n"
            "en → es, chat, reliability    40.00          7.00\n"
            "en → es, chat, portability    12.50             -\n");
}

}  // namespace
}  // namespace xkde
