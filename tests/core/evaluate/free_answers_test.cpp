#include "core/evaluate/free_answers.h"

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::ElementsAre;
using Texts = std::vector<std::string>;

std::map<std::string, double> scores(std::string_view text, const Texts& right,
                                     std::string_view language = "en") {
  std::map<std::string, double> all;
  for (const FreeScorer& scorer : free_scorers())
    all[std::string(scorer.name)] =
        scorer.score({.text = text, .right = right, .language = language});
  return all;
}

TEST(FreeScorers, ExactKnowsTheTargetAloneAndAliasEveryRightAnswer) {
  const Texts right{"Rome", "Roma"};
  EXPECT_EQ(scores("Rome.", right)["exact"], 1.0);
  EXPECT_EQ(scores("Roma", right)["exact"], 0.0);
  EXPECT_EQ(scores("Roma", right)["alias"], 1.0);
  EXPECT_EQ(scores("It is Rome", right)["alias"], 0.0);
}

TEST(FreeScorers, ContainsFindsWholeWords) {
  EXPECT_EQ(scores("I think it is: Rome, of course", {"Rome"})["contains"], 1.0);
  EXPECT_EQ(scores("Romeo and Juliet", {"Rome"})["contains"], 0.0);
  EXPECT_EQ(scores("答案是罗马。", {"罗马"}, "zh")["contains"], 1.0);
}

TEST(FreeScorers, OverlapsTakeTheNearestRightAnswer) {
  const Texts right{"New York", "the big apple"};
  EXPECT_DOUBLE_EQ(scores("york", right)["f1"], 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(scores("big apple", right)["f1"], 1.0);
  EXPECT_DOUBLE_EQ(scores("New York", right)["chrf"], 1.0);
  EXPECT_GT(scores("New Yorker", right)["chrf"], 0.5);
  EXPECT_LT(scores("New Yorker", right)["chrf"], 1.0);
}

TEST(FreeScorers, AnEmptyAnswerIsNeverRight) {
  for (const auto& [name, value] : scores("", {"Rome"})) EXPECT_EQ(value, 0.0) << name;
}

TEST(FreeScorers, StayBetweenZeroAndOneOnBrokenText) {
  for (const auto& [name, value] : scores("Ro\xff", {"Rom\xc3"})) {
    EXPECT_GE(value, 0.0) << name;
    EXPECT_LE(value, 1.0) << name;
  }
}

TEST(FreeChoice, TakesWhatIsNegatedFromOneAndSilenceIsNoAnswer) {
  FreeAnswerOptions options;
  options.scorers = {"exact", "contains"};
  const FreeChoice choice(options);
  const Texts wrong{"Rome"};
  const auto values = [&](std::string_view text) {
    std::vector<double> all;
    for (const FreeScore& one :
         choice.score({.text = text, .right = wrong, .language = "en", .is_negated = true}))
      all.push_back(one.value);
    return all;
  };
  EXPECT_THAT(values("It is Rome."), ElementsAre(1.0, 0.0));
  EXPECT_THAT(values("Rome"), ElementsAre(0.0, 0.0));
  EXPECT_THAT(values("Paris"), ElementsAre(1.0, 1.0));
  EXPECT_THAT(values(" ."), ElementsAre(0.0, 0.0));
}

TEST(FreeChoice, TakesSilenceForWhatTheModelSaidWhereThatWasSilence) {
  const FreeChoice choice(FreeAnswerOptions{});
  const auto values = [&](std::string_view text, const std::string& said, bool is_of_model) {
    std::vector<double> all;
    for (const FreeScore& one : choice.score(
             {.text = text, .right = {&said, 1}, .language = "en", .is_of_model = is_of_model}))
      all.push_back(one.value);
    return all;
  };
  EXPECT_THAT(values("", "", true), ElementsAre(1.0, 1.0, 1.0, 1.0, 1.0));
  EXPECT_THAT(values(" .", "\n", true), ElementsAre(1.0, 1.0, 1.0, 1.0, 1.0));
  EXPECT_THAT(values("", "Rome", true), ElementsAre(0.0, 0.0, 0.0, 0.0, 0.0));
  EXPECT_THAT(values("Rome", "", true), ElementsAre(0.0, 0.0, 0.0, 0.0, 0.0));
  EXPECT_THAT(values(" .", "Rome", false), ElementsAre(0.0, 0.0, 0.0, 0.0, 0.0));
}

TEST(FreeChoice, HoldsFactChecksAgainstTheirVerdictWhateverIsAskedFor) {
  FreeAnswerOptions options;
  options.scorers = {"exact"};
  const FreeChoice choice(options);
  const Texts yes{"Ja", "Stimmt"};
  const auto scored = [&](std::string_view text, Verdict wanted) {
    std::map<std::string, double> all;
    for (const FreeScore& one :
         choice.score({.text = text, .right = yes, .language = "de", .verdict = wanted}))
      all[std::string(one.scorer->name)] = one.value;
    return all;
  };
  using testing::Pair;
  EXPECT_THAT(scored("Ja, das stimmt.", Verdict::kYes),
              ElementsAre(Pair("exact", 0.0), Pair("verdict", 1.0)));
  EXPECT_EQ(scored("Nein.", Verdict::kYes)["verdict"], 0.0);
  EXPECT_EQ(scored("Nein.", Verdict::kNo)["verdict"], 1.0);
  EXPECT_EQ(scored("Vielleicht.", Verdict::kNo)["verdict"], 0.0);
  EXPECT_THAT(free_scorer_names(), testing::Not(testing::Contains("verdict")));
}

TEST(FreeChoice, StandsInTheOrderOfTheTables) {
  FreeAnswerOptions options;
  options.contexts = {"chat", "question"};
  options.scorers = {"f1", "exact"};
  const FreeChoice choice(options);
  EXPECT_THAT(choice.contexts, ElementsAre(FreeContext::kQuestion, FreeContext::kChat));
  const Texts right{"Rome"};
  const std::vector<FreeScore> scored =
      choice.score({.text = "Rome", .right = right, .language = "en"});
  ASSERT_EQ(scored.size(), 2U);
  EXPECT_EQ(scored[0].scorer->name, "exact");
  EXPECT_EQ(scored[1].scorer->name, "f1");
}

}  // namespace
}  // namespace xkde
