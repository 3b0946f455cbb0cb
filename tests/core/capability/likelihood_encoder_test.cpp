#include "core/capability/likelihood_encoder.h"

#include <numeric>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using test::byte_ids;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kBos = 0;

ChoiceRow row(const std::string& context, const std::vector<std::string>& choices) {
  return {.id = "", .language = "en", .context = context, .choices = choices};
}

std::vector<int64_t> joined(std::vector<int64_t> a, const std::vector<int64_t>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(LikelihoodEncoder, ContinuationsAreWhatTheWholeTextHasBehindTheContext) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const LikelihoodEncoder encoder(tokenizer, true, 100);

  const EncodedChoices encoded = encoder.choices(row("Who?", {"me", "xyz"}), " ", "q");

  ASSERT_EQ(encoded.sequences.size(), 2U);
  EXPECT_EQ(encoded.sequences[0].target_ids, byte_ids(" me"));
  EXPECT_EQ(encoded.sequences[0].ids, byte_ids("Who? m"));
  EXPECT_EQ(encoded.sequences[0].first_prediction, 3);
  EXPECT_EQ(encoded.sequences[1].target_ids, byte_ids(" xyz"));
  EXPECT_EQ(encoded.cut, 0);
}

TEST(LikelihoodEncoder, BlanksBehindTheContextGoToTheContinuation) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const LikelihoodEncoder encoder(tokenizer, true, 100);

  const EncodedChoices encoded = encoder.choices(row("Who?\n ", {"me", "us"}), "", "q");

  EXPECT_EQ(encoded.sequences[0].target_ids, byte_ids("\n me"));
  EXPECT_EQ(encoded.sequences[0].first_prediction, 3);
}

TEST(LikelihoodEncoder, ATokenThatSpansBothIsCountedOnce) {
  // "ab" is one token of the whole text: as many ids as the context has are its, the rest are the
  // continuation's, and the context keeps its own.
  const Tokenizer tokenizer = test::byte_tokenizer();
  const LikelihoodEncoder encoder(tokenizer, true, 100);

  const EncodedChoices encoded = encoder.choices(row("xa", {"bc", "c"}), "", "q");

  EXPECT_EQ(encoded.sequences[0].target_ids, byte_ids("c"));
  EXPECT_EQ(encoded.sequences[0].ids, byte_ids("xa"));
  EXPECT_THAT(
      test::message_of<DataError>([&] {
        encoder.choices(row("xa", {"c", "b"}), "", "q");
      }),
      HasSubstr("q: choices.1: expected at least one token behind the context, found none"));
}

TEST(LikelihoodEncoder, AnEmptyContextIsThePrefixToken) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const LikelihoodEncoder encoder(tokenizer, true, 100);

  const EncodedChoices empty = encoder.choices(row("", {"me", "<s>me"}), "", "q");
  const EncodedChoices blank = encoder.choices(row(" ", {"me", "us"}), "", "q");

  EXPECT_EQ(empty.sequences[0].ids, joined({kBos}, byte_ids("m")));
  EXPECT_EQ(empty.sequences[0].target_ids, byte_ids("me"));
  EXPECT_EQ(empty.sequences[1].target_ids, byte_ids("me"));
  EXPECT_EQ(blank.sequences[0].target_ids, byte_ids(" me"));
}

TEST(LikelihoodEncoder, SpecialTokensBeginContextsUnlessTheyAreThere) {
  const Tokenizer tokenizer = test::byte_tokenizer(/*adds_bos=*/true);
  const LikelihoodEncoder with(tokenizer, true, 100);
  const LikelihoodEncoder without(tokenizer, false, 100);

  EXPECT_EQ(with.choices(row("Q", {"a", "c"}), " ", "q").sequences[0].ids,
            joined({kBos}, byte_ids("Q ")));
  EXPECT_EQ(with.choices(row("<s>Q", {"a", "c"}), " ", "q").sequences[0].ids,
            joined({kBos}, byte_ids("Q ")));
  EXPECT_EQ(without.choices(row("Q", {"a", "c"}), " ", "q").sequences[0].ids, byte_ids("Q "));
}

TEST(LikelihoodEncoder, WhatIsTooLongLosesTheContextsBegin) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const LikelihoodEncoder encoder(tokenizer, true, 5);

  const EncodedChoices encoded = encoder.choices(row("01234", {"xyz", "5"}), "", "q");

  // The last token of a choice is not put in.
  EXPECT_EQ(encoded.sequences[0].ids, byte_ids("234xy"));
  EXPECT_EQ(encoded.sequences[0].first_prediction, 2);
  EXPECT_EQ(encoded.sequences[1].ids, byte_ids("01234"));
  EXPECT_EQ(encoded.cut, 2);
  EXPECT_THAT(
      test::message_of<DataError>([&] {
        encoder.choices(row("0", {"5", "xyzuvw"}), "", "q");
      }),
      HasSubstr("q: choices.1: expected at most the 5 tokens that the model sees, found 6"));
}

TEST(RollingWindows, PredictEachTokenOnceBehindOneTokenOfContext) {
  std::vector<int64_t> ids(10);
  std::iota(ids.begin(), ids.end(), 1);

  const std::vector<ScoredSequence> windows = rolling_windows(ids, 99, 4);

  ASSERT_EQ(windows.size(), 3U);
  EXPECT_THAT(windows[0].ids, ElementsAre(99, 1, 2, 3));
  EXPECT_THAT(windows[0].target_ids, ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(windows[0].first_prediction, 0);
  EXPECT_THAT(windows[1].ids, ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(windows[1].target_ids, ElementsAre(5, 6, 7, 8));
  EXPECT_EQ(windows[1].first_prediction, 0);
  // The last one sees as much as the model can.
  EXPECT_THAT(windows[2].ids, ElementsAre(6, 7, 8, 9));
  EXPECT_THAT(windows[2].target_ids, ElementsAre(9, 10));
  EXPECT_EQ(windows[2].first_prediction, 2);
}

TEST(RollingWindows, AShortTextIsOneWindow) {
  const std::vector<ScoredSequence> windows = rolling_windows(std::vector<int64_t>{1, 2}, 99, 4);

  ASSERT_EQ(windows.size(), 1U);
  EXPECT_THAT(windows[0].ids, ElementsAre(99, 1));
  EXPECT_THAT(windows[0].target_ids, ElementsAre(1, 2));
}

TEST(LikelihoodEncoder, DocumentsBeginBehindOnePrefixToken) {
  const Tokenizer tokenizer = test::byte_tokenizer(/*adds_bos=*/true);
  const LikelihoodEncoder encoder(tokenizer, true, 100);

  const std::vector<ScoredSequence> windows = encoder.windows("xyz", "t");

  ASSERT_EQ(windows.size(), 1U);
  EXPECT_EQ(windows[0].ids, joined({kBos}, byte_ids("xy")));
  EXPECT_EQ(windows[0].target_ids, byte_ids("xyz"));
}

}  // namespace
}  // namespace xkde
