#include "core/edit/preference_pairs.h"

#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

using testing::ElementsAre;
using Texts = std::pair<std::string, std::string>;

std::vector<Texts> texts_of(const std::vector<PreferencePair>& pairs) {
  std::vector<Texts> texts;
  for (const PreferencePair& pair : pairs) texts.emplace_back(pair.chosen, pair.rejected);
  return texts;
}

// Protocol, appendix A: three distinct samples, two of one reward.
TEST(PreferencePairs, EqualRewardsMakeNoPair) {
  const std::vector<ScoredAnswer> answers = {{"b", 1.5}, {"a", 2.0}, {"c", 1.5}};
  DroppedPairs dropped;

  const std::vector<PreferencePair> pairs = make_pairs("gold", answers, dropped);

  EXPECT_THAT(texts_of(pairs), ElementsAre(Texts("a", "b"), Texts("a", "c"), Texts("gold", "a")));
  EXPECT_EQ(pairs[0].score_chosen, 2.0);
  EXPECT_EQ(pairs[0].score_rejected, 1.5);
  EXPECT_EQ(pairs[2].score_chosen, std::nullopt);
  EXPECT_EQ(pairs[2].score_rejected, 2.0);
  EXPECT_EQ(dropped.equal_scores, 1);
}

TEST(PreferencePairs, FiveDistinctAnswersMakeElevenPairs) {
  const std::vector<ScoredAnswer> answers = {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}};
  DroppedPairs dropped;

  EXPECT_EQ(make_pairs("gold", answers, dropped).size(), 11U);
  EXPECT_EQ(dropped.equal_scores + dropped.equal_texts + dropped.repeated_answers, 0);
}

TEST(PreferencePairs, ARepeatedAnswerKeepsItsFirstScore) {
  const std::vector<ScoredAnswer> answers = {{"a", 1.0}, {"a", 9.0}, {"b", 2.0}};
  DroppedPairs dropped;

  EXPECT_THAT(texts_of(make_pairs("gold", answers, dropped)),
              ElementsAre(Texts("b", "a"), Texts("gold", "b")));
  EXPECT_EQ(dropped.repeated_answers, 1);
}

TEST(PreferencePairs, WhatStandsInMarksMakesNoDifference) {
  const std::vector<ScoredAnswer> answers = {
      {"7 <<3+4=7>> days", 2.0}, {"7 <<x>> days", 1.0}, {"7 <<3\n4>> days", 0.5}};
  DroppedPairs dropped;

  EXPECT_THAT(texts_of(make_pairs("gold", answers, dropped)),
              ElementsAre(Texts(answers[0].text, answers[2].text),
                          Texts(answers[1].text, answers[2].text), Texts("gold", answers[0].text)));
  EXPECT_EQ(dropped.equal_texts, 1);
}

TEST(PreferencePairs, GoldIsNotPreferredToItself) {
  const std::vector<ScoredAnswer> answers = {{"gold", 2.0}};
  DroppedPairs dropped;

  EXPECT_TRUE(make_pairs("gold", answers, dropped).empty());
  EXPECT_TRUE(make_pairs("gold", {}, dropped).empty());
  EXPECT_EQ(dropped.equal_texts, 1);
}

TEST(ChooseDev, TakesEveryTenthGroupOfEqualPrompts) {
  std::vector<std::string> prompts;
  for (int i = 0; i < 21; ++i) prompts.push_back("prompt " + std::to_string(i));
  prompts.push_back("prompt 10");
  prompts.push_back("prompt 11");

  const std::vector<bool> is_dev = choose_dev(prompts);

  for (size_t i = 0; i < 21; ++i) EXPECT_EQ(is_dev[i], i % 10 == 0) << i;
  EXPECT_TRUE(is_dev[21]);
  EXPECT_FALSE(is_dev[22]);
}

}  // namespace
}  // namespace xkde
