#include "core/edit/edit_questions.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/edit/prompt.h"
#include "tests/core/edit/edit_records.h"
#include "tests/support/byte_tokenizer.h"

namespace xkde {
namespace {

using test::byte_ids;
using test::byte_tokenizer;
using test::edit_record;
using testing::ElementsAre;
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

std::vector<Metric> metrics_of(const std::vector<EditQuestion>& questions) {
  std::vector<Metric> metrics;
  for (const EditQuestion& question : questions) metrics.push_back(question.metric);
  return metrics;
}

TEST(EditQuestions, FourMetricsAskTheTestSide) {
  const std::vector<EditQuestion> questions = edit_questions(edit_record(3).sides.at("en"));

  ASSERT_THAT(metrics_of(questions), ElementsAre(Metric::kReliability, Metric::kGenerality,
                                                 Metric::kLocality, Metric::kPortability));
  EXPECT_EQ(questions[0].question, "who 3?");
  EXPECT_EQ(questions[0].target, "me 3");
  EXPECT_EQ(questions[1].question, "again 3?");
  EXPECT_EQ(questions[1].target, "me 3");
  EXPECT_EQ(questions[2].question, "nq question: far 3");
  EXPECT_EQ(questions[2].target, "four");
  EXPECT_EQ(questions[3].question, "hop 3?");
  EXPECT_EQ(questions[3].target, "one");
}

TEST(EditQuestions, WhatARecordDoesNotHaveIsNotAsked) {
  EditSide side = edit_record(0).sides.at("en");
  side.portability.reset();
  side.rephrase.clear();

  EXPECT_THAT(metrics_of(edit_questions(side)),
              ElementsAre(Metric::kReliability, Metric::kLocality));
}

TEST(EditQuestions, LocalityIsAskedBareAndWithTheEdit) {
  const std::vector<EvalPrompt> prompts =
      eval_prompts(edit_record(3), language_of("en"), language_of("es"));

  ASSERT_EQ(prompts.size(), 5U);
  EXPECT_EQ(prompts[0].user_text, edit_prompt({"who 3? me 3"}, "quien 3?", "Spanish"));
  EXPECT_EQ(prompts[0].target, "yo 3");
  EXPECT_EQ(prompts[2].metric, Metric::kLocality);
  EXPECT_FALSE(prompts[2].has_edit);
  EXPECT_EQ(prompts[2].user_text, "lejos 3");
  EXPECT_EQ(prompts[3].metric, Metric::kLocality);
  EXPECT_TRUE(prompts[3].has_edit);
  EXPECT_EQ(prompts[3].user_text, edit_prompt({"who 3? me 3"}, "lejos 3", "Spanish"));
  EXPECT_EQ(prompts[3].target, "cuatro");
}

TEST(EditQuestions, RecordWithoutTheLanguageIsADataError) {
  EXPECT_THAT(error_of([] { eval_prompts(edit_record(3), language_of("en"), language_of("fr")); }),
              HasSubstr("DataError: record 3: expected a side in French"));
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

TEST(ScoredSequence, PlainJoinsWithABlank) {
  const ScoredSequence scored =
      scored_sequence(byte_tokenizer(), ChatTemplate::select("plain", ""), "q?", "yes");

  EXPECT_EQ(scored.ids, byte_ids("q? ye"));
  EXPECT_EQ(scored.first_prediction, 2);
}

TEST(ScoredSequence, ComparisonStaysPositionalWhenContextCutsOtherPieces) {
  // In "a" + "b" the context forms one token where the target alone has one and the prompt another.
  const ChatTemplate chatml = ChatTemplate::select("chatml_no_system", "");

  const ScoredSequence scored = scored_sequence(byte_tokenizer(), chatml, "q?", "xab");

  EXPECT_EQ(scored.target_ids, (Ids{byte_ids("x")[0], 8}));
  EXPECT_EQ(scored.ids.back(), byte_ids("x")[0]);
  EXPECT_EQ(scored.ids.size() - static_cast<size_t>(scored.first_prediction), 2U);
}

TEST(ScoredSequence, TargetWithoutTokensIsADataError) {
  EXPECT_THAT(error_of([] {
                scored_sequence(byte_tokenizer(), ChatTemplate::select("plain", ""), "q?", "");
              }),
              HasSubstr("DataError: target: expected at least one token"));
}

}  // namespace
}  // namespace xkde
