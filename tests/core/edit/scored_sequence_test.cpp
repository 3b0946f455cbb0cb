#include "core/edit/scored_sequence.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

using test::byte_ids;
using test::byte_tokenizer;
using testing::HasSubstr;
using Ids = std::vector<int64_t>;

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return concat(error.kind(), ": ", error.what());
  }
  return "nothing was thrown";
}

TEST(ScoredSequence, ChatMlPredictsTheTargetBeforeTheClosingToken) {
  const ChatTemplate chatml = ChatTemplate::select("chatml_no_system", "");

  const ScoredSequence scored = scored_sequence(byte_tokenizer(), chatml, "q?", "yes");

  const Ids prompt = byte_tokenizer().encode(chatml.prompt("q?"));
  Ids expected = prompt;
  for (const int64_t id : byte_ids("ye")) expected.push_back(id);
  EXPECT_EQ(scored.ids, expected);
  EXPECT_EQ(scored.target_ids, byte_ids("yes"));
  EXPECT_EQ(scored.first_prediction, static_cast<int64_t>(prompt.size()) - 1);
  EXPECT_EQ(scored.first_prediction + 3, static_cast<int64_t>(scored.ids.size()));
}

TEST(ScoredSequence, Llama2BeginsWithBosAndABlank) {
  const ChatTemplate llama = ChatTemplate::select("llama2", "");

  const ScoredSequence scored = scored_sequence(byte_tokenizer(), llama, "q?", "yes");

  Ids expected{0};
  for (const int64_t id : byte_ids(" [INST] q? [/INST] ye")) expected.push_back(id);
  EXPECT_EQ(scored.ids, expected);
  EXPECT_EQ(scored.target_ids, byte_ids("yes"));
  EXPECT_EQ(scored.first_prediction + 3, static_cast<int64_t>(scored.ids.size()));
}

TEST(ScoredSequence, ModelsOwnTemplatePredictsTheTargetBeforeWhatClosesIt) {
  const ChatTemplate own = ChatTemplate::select(
      "auto", ModelTemplate{.source = "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:"
                                      "{{ m.content }}{{ eos_token }}\n{% endfor %}"
                                      "{{ 'a:' if add_generation_prompt }}",
                            .tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}}});

  const ScoredSequence scored = scored_sequence(byte_tokenizer(), own, "q?", "yes");

  Ids expected{0};
  for (const int64_t id : byte_ids("u:q?")) expected.push_back(id);
  expected.push_back(1);
  for (const int64_t id : byte_ids("\na:ye")) expected.push_back(id);
  EXPECT_EQ(scored.ids, expected);
  EXPECT_EQ(scored.target_ids, byte_ids("yes"));
  EXPECT_EQ(scored.first_prediction + 3, static_cast<int64_t>(scored.ids.size()));
}

TEST(ScoredSequence, PlainJoinsWithABlank) {
  const ScoredSequence scored =
      scored_sequence(byte_tokenizer(), ChatTemplate::select("plain", ""), "q?", "yes");

  EXPECT_EQ(scored.ids, byte_ids("q? ye"));
  EXPECT_EQ(scored.first_prediction, 2);
}

TEST(ScoredSequence, PlainBeginsAsTheTokenizerDoesByItself) {
  const ChatTemplate plain = ChatTemplate::select("plain", "");

  const ScoredSequence scored =
      scored_sequence(byte_tokenizer(/*adds_bos=*/true), plain, "q?", "yes");

  Ids expected{0};
  for (const int64_t id : byte_ids("q? ye")) expected.push_back(id);
  EXPECT_EQ(scored.ids, expected);
  EXPECT_EQ(scored.target_ids, byte_ids("yes"));
  EXPECT_EQ(scored.first_prediction, 3);
  // Llama-2's own format has its BOS once all the same.
  const ChatTemplate llama = ChatTemplate::select("llama2", "");
  EXPECT_EQ(scored_sequence(byte_tokenizer(true), llama, "q?", "yes").ids,
            scored_sequence(byte_tokenizer(false), llama, "q?", "yes").ids);
}

TEST(ScoredSequence, ComparisonStaysPositionalWhenContextCutsOtherPieces) {
  // In "a" + "b" the context forms one token where the target alone has one and the prompt another.
  const ChatTemplate chatml = ChatTemplate::select("chatml_no_system", "");

  const ScoredSequence scored = scored_sequence(byte_tokenizer(), chatml, "q?", "xab");

  EXPECT_EQ(scored.target_ids, (Ids{byte_ids("x")[0], 8}));
  EXPECT_EQ(scored.ids.back(), byte_ids("x")[0]);
  EXPECT_EQ(scored.ids.size() - static_cast<size_t>(scored.first_prediction), 2U);
}

/// What is scored begins behind the blank of a plain text, and the prompt ends before it.
TEST(PromptLength, IsThatOfWhatAnAnswerBeginsBehind) {
  const Tokenizer tokenizer = byte_tokenizer();
  const auto length = [&](const ChatTemplate& format) {
    const ScoredSequence scored = scored_sequence(tokenizer, format, "q?", "yes");
    return prompt_length(tokenizer, format, "q?", "yes", scored);
  };
  EXPECT_EQ(length(ChatTemplate::select("plain", "")), 2);
  EXPECT_EQ(length(ChatTemplate::select("llama2", "")),
            std::ssize(byte_ids(" [INST] q? [/INST]")) + 1);
  const ChatTemplate chatml = ChatTemplate::select("chatml_no_system", "");
  EXPECT_EQ(length(chatml), std::ssize(tokenizer.encode(chatml.prompt("q?"))));
  const ChatTemplate own = ChatTemplate::select(
      "auto", ModelTemplate{.source = "{{ bos_token }}{% for m in messages %}{{ m.role[0] }}:"
                                      "{{ m.content }}{{ eos_token }}\n{% endfor %}"
                                      "{{ 'a:' if add_generation_prompt }}",
                            .tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}}});
  EXPECT_EQ(length(own), std::ssize(byte_ids("u:q?\na:")) + 2);
}

TEST(ScoredSequence, TargetWithoutTokensIsADataError) {
  EXPECT_THAT(error_of([] {
                scored_sequence(byte_tokenizer(), ChatTemplate::select("plain", ""), "q?", "");
              }),
              HasSubstr("DataError: target: expected at least one token"));
}

TEST(ScoredInContext, TargetsAreTheIdsThatFollowThePrompt) {
  const ScoredSequence scored = scored_in_context(byte_tokenizer(), "q?", "yes");

  EXPECT_EQ(scored.target_ids, byte_ids(" yes"));
  EXPECT_EQ(scored.ids, byte_ids("q? ye"));
  EXPECT_EQ(scored.first_prediction, 1);
}

TEST(ScoredInContext, PromptWithoutTokensIsADataError) {
  EXPECT_THAT(error_of([] { scored_in_context(byte_tokenizer(), "", "yes"); }),
              HasSubstr("DataError: target: expected at least one token after the prompt's 0"));
}

}  // namespace
}  // namespace xkde
