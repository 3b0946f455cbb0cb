#include "core/evaluate/scorer_agreement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EvalOptions options_of(bool has_judge) {
  EvalOptions options;
  options.free_answers.emplace();
  options.free_answers->contexts = {"question"};
  options.free_answers->scorers = {"exact", "f1"};
  if (has_judge) options.judge.emplace();
  return options;
}

/// An answer to the bare question with scores of exact and f1, and the judge's verdict if any.
Prediction answered(Metric metric, double exact, double f1, std::optional<bool> judged) {
  const FreeChoice choice(*options_of(false).free_answers);
  Prediction prediction;
  prediction.kind = {metric, {}};
  ScoredFreeAnswer answer{FreeContext::kQuestion, {"a", true}, {}};
  answer.scores = {{choice.scorers[0], exact}, {choice.scorers[1], f1}};
  if (judged) {
    const JudgeVerdict verdict = *judged ? JudgeVerdict{-1, -2} : JudgeVerdict{-2, -1};
    answer.judged = JudgedAnswer{0, verdict};
  }
  prediction.free = {answer};
  return prediction;
}

std::vector<std::string> lines_of(const std::vector<ScorerAgreement>& all) {
  std::vector<std::string> lines;
  for (const auto& [context, first, second, counts] : all)
    lines.push_back(concat(context, " ", first, " ", second, " ", counts.both, counts.only_first,
                           counts.only_second, counts.neither));
  return lines;
}

TEST(ScorerAgreement, CountsEachPairWithHalfAsRightAndWithoutLocality) {
  ScoredEvaluation scored;
  scored.blocks[{0, 0}].predictions = {answered(Metric::kReliability, 1, 1, true),
                                       answered(Metric::kGenerality, 0, 0.5, true),
                                       answered(Metric::kLocality, 0, 1, false)};
  scored.blocks[{1, 0}].predictions = {answered(Metric::kPortability, 0, 0.49, false),
                                       answered(Metric::kPortability, 0, 0.2, std::nullopt)};

  EXPECT_THAT(
      lines_of(scorer_agreement(options_of(true), scored)),
      ElementsAre("question exact f1 1012", "question exact judge 1011", "question f1 judge 2001"));
  EXPECT_THAT(lines_of(scorer_agreement(options_of(false), scored)),
              ElementsAre("question exact f1 1012"));
}

TEST(ScorerAgreement, SaysWhyANumberIsNotDefined) {
  EXPECT_THAT(lines_of(scorer_agreement(options_of(false), {})),
              ElementsAre("question exact f1 0000"));
  const std::vector<ScorerAgreement> all{{"question", "exact", "f1", {}},
                                         {"question", "exact", "judge", {.both = 3}},
                                         {"question", "f1", "judge", {.neither = 3}}};

  const Json json = agreement_json(all);

  EXPECT_EQ(json[0]["equal"], "undefined: no answer");
  EXPECT_EQ(json[0]["kappa"], "undefined: no answer");
  EXPECT_EQ(json[1]["equal"], 100.0);
  EXPECT_EQ(json[1]["kappa"], "undefined: both say right of all");
  EXPECT_EQ(json[2]["kappa"], "undefined: both say wrong of all");
  EXPECT_THAT(agreement_grid(all),
              ElementsAre(ElementsAre("context, scorer", "n", "f1", "judge"),
                          ElementsAre("question, exact", "0, 3", "no answer", "100.00 (all right)"),
                          ElementsAre("question, f1", "3", "", "100.00 (all wrong)")));
}

TEST(ScorerAgreement, ComesBackOutOfStatistics) {
  const std::vector<ScorerAgreement> scorers{
      {"chat", "exact", "judge", {.both = 20, .only_first = 5, .only_second = 10, .neither = 15}}};
  const std::vector<LabelAgreement> labelled{{"all", {.both = 1, .neither = 2}}};
  const Json statistics{{"used", 4},
                        {"judge", {{"labelled", agreement_json(labelled)}}},
                        {"scorer_agreement", agreement_json(scorers)}};
  EXPECT_EQ(statistics["scorer_agreement"][0]["equal"], 70.0);
  EXPECT_NEAR(statistics["scorer_agreement"][0]["kappa"].get<double>(), 0.4, 1e-12);

  const AgreementReport report = parse_agreement(statistics, "statistics.json");

  EXPECT_EQ(lines_of(report.scorers), lines_of(scorers));
  ASSERT_EQ(report.labelled.size(), 1U);
  EXPECT_EQ(agreement_text(report, "01-evaluate"),
            "01-evaluate, agreement of scorers: equal verdicts in percent (kappa)\n"
            "context, scorer   n         judge\n"
            "chat, exact      50  70.00 (0.40)\n"
            "\n"
            "01-evaluate, the judge against labelled rows\n"
            "labelled rows  n   equal  kappa  labelled right  said right  both\n"
            "all            3  100.00   1.00               1           1     1\n");
  EXPECT_EQ(agreement_text(parse_agreement({{"used", 4}}, "s"), "01-evaluate"), "");
  EXPECT_THAT(test::message_of<DataError>([] {
                parse_agreement({{"scorer_agreement", {1}}}, "statistics.json");
              }),
              HasSubstr("statistics.json: expected the agreement of scorers"));
}

TEST(LabelAgreement, IsCountedOverAllAndByLanguage) {
  const auto row = [](const char* language, const char* answer, bool is_right) {
    return LabelledRow{language, {"q", {"a"}, answer}, is_right};
  };
  const std::vector<LabelledRow> rows{row("de", "1", true), row("de", "2", false),
                                      row("en", "3", true), row("en", "4", true)};
  const JudgeVerdicts verdicts{{rows[0].asked, JudgeVerdict{-1, -2}},
                               {rows[1].asked, JudgeVerdict{-1, -2}},
                               {rows[2].asked, JudgeVerdict{-2, -1}},
                               {rows[3].asked, std::nullopt}};

  const std::vector<LabelAgreement> all = label_agreement(rows, verdicts);

  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].language, "all");
  EXPECT_EQ(all[0].counts.n(), 3);
  EXPECT_EQ(all[0].counts.both, 1);
  EXPECT_EQ(all[0].counts.only_first, 1);
  EXPECT_EQ(all[0].counts.only_second, 1);
  EXPECT_EQ(all[1].language, "de");
  EXPECT_EQ(all[1].counts.n(), 2);
  EXPECT_EQ(all[2].counts.only_first, 1);
}

}  // namespace
}  // namespace xkde
