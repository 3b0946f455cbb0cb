#include "core/evaluate/judge/judge_prompt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_tokenizer.h"
#include "tests/support/message_of.h"

namespace xkde {
namespace {

using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

const JudgeQuestion kRome = judge_question("Capital of Italy?", {"Rome", "Roma"}, "It is Rome.");

TEST(JudgePrompt, HoldsQuestionRightAnswersAndAnswerAndEndsWithWhatIsAsked) {
  EXPECT_THAT(judge_text(kRome), EndsWith("\n\nQuestion: Capital of Italy?"
                                          "\nRight answers: Rome | Roma"
                                          "\nAnswer to judge: It is Rome."
                                          "\nIs this answer right, Yes or No?"));
}

// Another text gives other verdicts: it needs another version, and this line.
TEST(JudgePrompt, IsPinned) {
  EXPECT_EQ(kJudgePromptVersion, 1);
  EXPECT_EQ(judge_prompt_sha256(),
            "afa5c0340961247c1f3dd16dddf86ce06fe36fee466bcc0ee3cf6cc3f9aa260a");
}

TEST(JudgePrompt, BeginsAlikeForAnswersToOneQuestion) {
  JudgeQuestion other = kRome;
  other.answer = "Paris";
  const std::string one = judge_text(kRome), two = judge_text(other);

  const size_t common = one.find("It is Rome.");

  EXPECT_EQ(one.substr(0, common), two.substr(0, common));
  EXPECT_GT(common, 300U);
}

TEST(JudgeQuestion, GivesEachTextOneLine) {
  const JudgeQuestion asked = judge_question(" Who?\n", {"a\tb", "\r\n c"}, "yes \n\n  it\xff is ");
  EXPECT_EQ(asked.question, "Who?");
  EXPECT_THAT(asked.right, ElementsAre("a b", "c"));
  EXPECT_EQ(asked.answer, "yes it\ufffd is");
}

TEST(JudgeEncoder, EndsWhereTheModelWouldSayAWord) {
  const Tokenizer tokenizer = test::byte_tokenizer();
  const ChatTemplate chat = ChatTemplate::select("chatml_no_system", "");
  const JudgeEncoder encoder(tokenizer, chat, "judge");

  const std::vector<int64_t> ids = encoder.ids(kRome);

  EXPECT_THAT(tokenizer.decode(ids, /*skip_special_tokens=*/false),
              EndsWith("Yes or No?<|im_end|>\n<|im_start|>assistant\n"));
  EXPECT_EQ(encoder.yes_id(), test::byte_ids("Y").front());
  EXPECT_EQ(encoder.no_id(), test::byte_ids("N").front());
}

TEST(JudgeEncoder, RefusesWordsThatBeginWithOneToken) {
  // Every character is a token, and behind plain text both words begin with a blank.
  const Tokenizer tokenizer = test::byte_tokenizer();
  const ChatTemplate plain = ChatTemplate::select("plain", "");

  const auto make = [&] { const JudgeEncoder encoder(tokenizer, plain, "models/judge"); };

  EXPECT_EQ(test::message_of<ConfigError>(make),
            "models/judge: expected a judge whose answer words begin with different tokens, found "
            "that Yes and No both begin with token 10 behind its prompt");
}

TEST(JudgeEncoder, LeavesToTheWordWhatItsFirstTokenTakesOfThePrompt) {
  // Llama-2's prompt ends in a blank, which is the word's.
  const Tokenizer tokenizer = test::byte_tokenizer();
  const ChatTemplate llama = ChatTemplate::select("llama2", "");

  const auto make = [&] { const JudgeEncoder encoder(tokenizer, llama, "judge"); };

  EXPECT_THAT(test::message_of<ConfigError>(make), HasSubstr("both begin with token 10"));
}

TEST(JudgeFingerprint, FollowsFromFilesDtypeAndTemplateAndNotFromPlaces) {
  JudgeOptions options;
  options.model_name_or_path = "here";
  const std::string one = judge_fingerprint(options, {"aa", "bb"});
  JudgeOptions moved = options;
  moved.model_name_or_path = "there";
  moved.cache = "elsewhere";
  moved.max_tokens_per_batch = 1;
  EXPECT_EQ(judge_fingerprint(moved, {"aa", "bb"}), one);

  JudgeOptions single = options, plain = options, dated = options;
  single.dtype = Dtype::kFloat32;
  plain.chat_template = "plain";
  dated.chat_date = "2026-11-29";
  for (const JudgeOptions& other : {single, plain, dated})
    EXPECT_NE(judge_fingerprint(other, {"aa", "bb"}), one);
  EXPECT_NE(judge_fingerprint(options, {"aa", "bc"}), one);
}

TEST(JudgeVerdict, IsRightWhereYesIsLikelier) {
  EXPECT_TRUE((JudgeVerdict{-0.1, -2.0}.is_right()));
  EXPECT_FALSE((JudgeVerdict{-2.0, -0.1}.is_right()));
  EXPECT_FALSE((JudgeVerdict{-1.0, -1.0}.is_right()));
}

}  // namespace
}  // namespace xkde
