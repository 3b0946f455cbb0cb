#include "core/data/orpo_pair.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

std::vector<int64_t> numbers(int64_t first, int64_t count) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(first + i);
  return ids;
}

OrpoSequence sequence(int64_t prompt, int64_t answer) {
  return {numbers(1000, prompt), numbers(5000, answer)};
}

struct Cut {
  const char* name;
  int64_t prompt, chosen, rejected;    // lengths before
  int64_t prompt_begin, prompt_after;  // of what stays, for both
  int64_t chosen_after, rejected_after;
  bool keep_end = true;
};

/// Lengths worked out by hand from step 5 of protocol 5.4 with its 512 and 128.
const Cut kCuts[] = {
    {"short", 100, 20, 30, 0, 100, 20, 30},
    {"exactly 512", 482, 30, 10, 0, 482, 30, 10},
    {"one too long, prompt cut", 483, 30, 10, 355, 128, 30, 10},
    {"the rejected one is the longer", 483, 10, 30, 355, 128, 10, 30},
    {"short prompt is kept, answer cut", 120, 500, 20, 0, 120, 384, 20},
    {"both answers cut", 120, 500, 400, 0, 120, 384, 384},
    {"prompt and answer cut", 300, 600, 5, 172, 128, 384, 5},
    {"prompt cut, answer then fits exactly", 200, 384, 1, 72, 128, 384, 1},
    {"prompt shorter than its limit, sum too long by one", 128, 385, 1, 0, 128, 384, 1},
    {"start of the prompt", 483, 30, 10, 0, 128, 30, 10, false},
};

TEST(OrpoPair, TruncationFollowsTheTable) {
  for (const Cut& cut : kCuts) {
    OrpoPair pair{sequence(cut.prompt, cut.chosen), sequence(cut.prompt, cut.rejected)};

    truncate_orpo_pair(pair,
                       {.max_length = 512, .max_prompt_length = 128, .keep_end = cut.keep_end});

    const auto prompt = numbers(1000 + cut.prompt_begin, cut.prompt_after);
    EXPECT_EQ(pair.chosen.prompt, prompt) << cut.name;
    EXPECT_EQ(pair.rejected.prompt, prompt) << cut.name;
    EXPECT_EQ(pair.chosen.answer, numbers(5000, cut.chosen_after)) << cut.name;
    EXPECT_EQ(pair.rejected.answer, numbers(5000, cut.rejected_after)) << cut.name;
  }
}

TEST(OrpoPair, SequencesGetBosAndEosOnce) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  ASSERT_TRUE(tokenizer.bos_id() && tokenizer.eos_id());
  const int64_t bos = *tokenizer.bos_id();
  const int64_t eos = *tokenizer.eos_id();
  const std::string begin = tokenizer.decode({&bos, 1}, /*skip_special_tokens=*/false);
  const std::string end = tokenizer.decode({&eos, 1}, /*skip_special_tokens=*/false);

  const OrpoSequence plain = encode_orpo_sequence(tokenizer, "q ", "xy");
  const OrpoSequence marked = encode_orpo_sequence(tokenizer, begin + "q ", "xy" + end);
  const OrpoSequence empty = encode_orpo_sequence(tokenizer, "q ", "");

  EXPECT_EQ(plain.prompt.front(), bos);
  EXPECT_EQ(plain.prompt.size(), 3U);
  EXPECT_EQ(plain.answer.size(), 3U);
  EXPECT_EQ(plain.answer.back(), eos);
  EXPECT_EQ(marked, plain);
  EXPECT_EQ(empty.answer, std::vector<int64_t>{eos});
}

TEST(OrpoPair, APromptThatMeltsIntoTheAnswerGivesItsLastToken) {
  const Tokenizer tokenizer = test::byte_tokenizer();  // merges "ab"
  const int64_t merged = *tokenizer.token_to_id("ab");

  const OrpoSequence melted = encode_orpo_sequence(tokenizer, "xa", "by");
  const OrpoSequence apart = encode_orpo_sequence(tokenizer, "xa", "cy");

  EXPECT_EQ(melted.prompt.size() + 1, apart.prompt.size());
  EXPECT_EQ(melted.answer.front(), merged);
  EXPECT_TRUE(prompts_agree({melted, apart}));
  EXPECT_FALSE(prompts_agree({melted, encode_orpo_sequence(tokenizer, "xabc", "d")}));
}

TEST(OrpoPair, AnEmptyPromptOrAnswerHasNoToken) {
  EXPECT_TRUE(all_have_tokens({{{1}, {2}}, {{1}, {3}}}));
  EXPECT_FALSE(all_have_tokens({{{1}, {}}, {{1}, {3}}}));
  EXPECT_FALSE(all_have_tokens({{{1}, {2}}, {{1}, {}}}));
  EXPECT_FALSE(all_have_tokens({{{}, {2}}, {{1}, {3}}}));
  EXPECT_FALSE(all_have_tokens({{{1}, {2}}, {{}, {3}}}));
}

}  // namespace
}  // namespace xkde
