// Golden sentences and words: tests/golden/make_word_tokenize.py.
#include "core/metrics/word_tokenize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/io/json_file.h"
#include "core/metrics/sentence_split.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using Words = std::vector<std::string>;

TEST(WordTokenize, CutsAsNltkDoes) {
  for (const Json& golden : read_json_file(XKDE_SOURCE_DIR "/tests/golden/word_tokenize.json")) {
    const auto text = golden["text"].get<std::string>();
    EXPECT_EQ(split_sentences(text), golden["sentences"].get<Words>()) << golden["text"];
    EXPECT_EQ(word_tokenize(text), golden["words"].get<Words>()) << golden["text"];
  }
}

TEST(WordTokenize, PiecesOfTheProtocol) {
  EXPECT_THAT(word_tokenize("It's"), ElementsAre("It", "'s"));
  EXPECT_THAT(word_tokenize("isn't"), ElementsAre("is", "n't"));
  EXPECT_THAT(word_tokenize("cannot"), ElementsAre("can", "not"));
  EXPECT_THAT(word_tokenize("\"Q\""), ElementsAre("``", "Q", "''"));
  EXPECT_THAT(word_tokenize("(approx.)"), ElementsAre("(", "approx", ".", ")"));
  EXPECT_THAT(word_tokenize("3,000 world. The end."),
              ElementsAre("3,000", "world", ".", "The", "end", "."));
}

TEST(SplitSentences, AbbreviationsAreSorted) {
  const auto all = english_abbreviations();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
}

}  // namespace
}  // namespace xkde
