#include "core/edit/lexical_index.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/rng.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(LexicalTerms, AreWordsInLowerCase) {
  EXPECT_THAT(lexical_terms("Who ÉLU Tor-Bridge, 1901?"),
              ElementsAre("who", "élu", "tor", "bridge", "1901"));
}

TEST(LexicalTerms, AreCharacterPairsWhereNoBlanksDivideWords) {
  EXPECT_THAT(lexical_terms("谁建了Tor桥？"), ElementsAre("谁建", "建了", "tor", "桥"));
}

TEST(LexicalTerms, OfNothingAreNone) { EXPECT_THAT(lexical_terms(" ?! "), IsEmpty()); }

TEST(LexicalIndex, TextItselfIsNearestToIt) {
  const LexicalIndex index({"the red boat", "the red boat sails", "a green hill", "the boat"});

  EXPECT_THAT(index.nearest("the red boat sails", 2), ElementsAre(1U, 0U));
  EXPECT_THAT(index.nearest("the red boat", 1), ElementsAre(0U));
}

TEST(LexicalIndex, RareTermsWeighMoreThanFrequentOnes) {
  const LexicalIndex index({"who marl", "who dune", "by tessel"});

  EXPECT_THAT(index.nearest("who tessel", 3), ElementsAre(2U, 0U, 1U));
}

TEST(LexicalIndex, CosineOfTwoTextsIsThatOfTheFormula) {
  // idf(b) > idf(a): in "a b" and "a a a b" the share of b differs, so b finds the first one first.
  const LexicalIndex index({"a a a b", "a b", "a"});

  EXPECT_THAT(index.nearest("b", 3), ElementsAre(1U, 0U));
  EXPECT_THAT(index.nearest("a", 3), ElementsAre(2U, 0U, 1U));
}

TEST(LexicalIndex, EqualTextsComeInOrderOfPosition) {
  const LexicalIndex index({"x y", "y x", "x y", "z"});

  EXPECT_THAT(index.nearest("x y", 5), ElementsAre(0U, 1U, 2U));
}

TEST(LexicalIndex, NothingInCommonFindsNothing) {
  EXPECT_THAT(LexicalIndex({"a b"}).nearest("c", 3), IsEmpty());
  EXPECT_THAT(LexicalIndex({}).nearest("c", 3), IsEmpty());
  EXPECT_THAT(LexicalIndex({"a b"}).nearest("a", 0), IsEmpty());
}

TEST(LexicalIndex, TenThousandFactsTakeSeconds) {
  RandomStream random(7, "facts");
  std::vector<std::string> facts;
  for (int i = 0; i < 10'000; ++i) {
    std::string fact = "who is the";
    for (int word = 0; word < 8; ++word) fact += " w" + std::to_string(random.below(5000));
    facts.push_back(std::move(fact));
  }
  const NearestFacts search = lexical_search(facts);

  // A twentieth of all queries; the time-out of the test binary is the bound.
  for (size_t i = 0; i < facts.size(); i += 20) EXPECT_EQ(search(facts[i], 5).at(0), i);
}

}  // namespace
}  // namespace xkde
