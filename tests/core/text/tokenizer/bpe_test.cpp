#include "core/text/tokenizer/bpe.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/core/text/tokenizer/golden.h"

namespace {

using namespace xkde;
using xkde::test::Ids;

Bpe bpe(const char* json) {
  static std::vector<Json> kept;
  kept.push_back(Json::parse(json));
  return Bpe(JsonPlace(kept.back(), "bpe"));
}

Ids encode(const Bpe& model, std::string_view word) {
  Ids ids;
  model.encode(word, ids);
  return ids;
}

TEST(Bpe, LowestRankGoesFirstAndLeftmostAmongEquals) {
  const Bpe model = bpe(
      R"({"vocab": {"a": 0, "b": 1, "aa": 2, "ab": 3, "aab": 4}, "merges": ["a a", "a b", "aa b"]})");

  EXPECT_EQ(encode(model, "aaa"), (Ids{2, 0}));
  EXPECT_EQ(encode(model, "aab"), (Ids{4}));
  EXPECT_EQ(encode(model, "aaab"), (Ids{2, 3}));
}

TEST(Bpe, LastOfTwoEqualMergesCounts) {
  const Bpe model = bpe(
      R"({"vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4}, "merges": ["a b", "b c", "a b"]})");

  EXPECT_EQ(encode(model, "abc"), (Ids{0, 4}));
}

TEST(Bpe, WholeWordsPrecedeMergesWhereTheyAreIgnored) {
  const char* const json =
      R"({"vocab": {"a": 0, "b": 1, "ab": 2, "aba": 3}, "merges": ["a b"], "ignore_merges": true})";

  EXPECT_EQ(encode(bpe(json), "aba"), (Ids{3}));
  EXPECT_EQ(encode(bpe(json), "abab"), (Ids{2, 2}));
}

TEST(Bpe, CharactersWithoutATokenAreLeftOutWithoutAnUnknownToken) {
  EXPECT_EQ(encode(bpe(R"({"vocab": {"a": 0, "b": 1}, "merges": []})"), "azb"), (Ids{0, 1}));
}

TEST(Bpe, CachedWordsHaveTheSameIds) {
  const Bpe model = bpe(R"({"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]})");
  for (int i = 0; i < 70000; ++i)
    encode(model, "ab" + std::string(static_cast<size_t>(i % 40), 'a') + std::to_string(i));

  EXPECT_EQ(encode(model, "abab"), encode(model, "abab"));
}

/// The plain rule, pair by pair over the whole word.
Ids merged_slowly(Ids ids,
                  const std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>>& merges) {
  for (;;) {
    size_t best_rank = merges.size();
    size_t best = 0;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      for (size_t rank = 0; rank < best_rank; ++rank) {
        if (merges[rank].first == std::pair(ids[i], ids[i + 1])) {
          best_rank = rank;
          best = i;
        }
      }
    }
    if (best_rank == merges.size()) return ids;
    ids[best] = merges[best_rank].second;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Bpe, EqualsThePlainRuleOnRandomWords) {
  const Bpe model = bpe(
      R"({"vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "bc": 4, "ca": 5, "abc": 6, "bca": 7, "abab": 8, "aa": 9},
      "merges": ["b c", "a b", "c a", "ab c", "bc a", "ab ab", "a a"]})");
  const std::vector<std::pair<std::pair<int64_t, int64_t>, int64_t>> merges = {
      {{1, 2}, 4}, {{0, 1}, 3}, {{2, 0}, 5}, {{3, 2}, 6}, {{4, 0}, 7}, {{3, 3}, 8}, {{0, 0}, 9}};
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string word;
    Ids letters;
    for (int i = 0; i < round % 37 + 1; ++i) {
      letters.push_back(static_cast<int64_t>(random() % 3));
      word += static_cast<char>('a' + letters.back());
    }
    EXPECT_EQ(encode(model, word), merged_slowly(letters, merges)) << word;
  }
}

}  // namespace
