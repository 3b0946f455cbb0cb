#include "core/data/sft_sample.h"

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
using Role = ChatMessage::Role;
using Ids = std::vector<int64_t>;

constexpr int64_t kBos = 0;
constexpr int64_t kEos = 1;
constexpr int64_t kStart = 2;
constexpr int64_t kEnd = 3;

Ids joined(const std::vector<Ids>& parts) {
  Ids all;
  for (const Ids& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Ids chatml_prompt(const std::string& user) {
  return joined({{kStart},
                 byte_ids("user\n" + user),
                 {kEnd},
                 byte_ids("\n"),
                 {kStart},
                 byte_ids("assistant\n")});
}

Ids trained_ids(const SftSample& sample) {
  Ids ids;
  for (size_t i = 0; i < sample.ids.size(); ++i) {
    if (sample.trained[i] != 0) ids.push_back(sample.ids[i]);
  }
  return ids;
}

const ChatTemplate& chatml() {
  static const ChatTemplate chat = ChatTemplate::select("chatml_no_system", "");
  return chat;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return concat(error.kind(), ": ", error.what());
  }
  return "nothing was thrown";
}

TEST(SftSample, PromptIsReadAndAnswerIsTrained) {
  const SftSample sample = encode_sample(byte_tokenizer(), chatml(), "q?", "yes", false);

  EXPECT_EQ(sample.ids, joined({chatml_prompt("q?"), byte_ids("yes")}));
  EXPECT_EQ(sample.trained.size(), sample.ids.size());
  EXPECT_EQ(trained_ids(sample), byte_ids("yes"));
  EXPECT_EQ(sample.num_trained(), 3);
  EXPECT_EQ(sample.prompt_length(), static_cast<int64_t>(chatml_prompt("q?").size()));
}

TEST(SftSample, EndOfTurnIsTrainedWhenAsked) {
  const SftSample sample = encode_sample(byte_tokenizer(), chatml(), "q?", "yes", true);

  EXPECT_EQ(sample.ids, joined({chatml_prompt("q?"), byte_ids("yes"), {kEnd}}));
  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEnd}}));
}

TEST(SftSample, PlainBeginsAsTheTokenizerDoesByItself) {
  const ChatTemplate plain = ChatTemplate::select("plain", "");

  const SftSample sample =
      encode_sample(byte_tokenizer(/*adds_bos=*/true), plain, "q?", "a", false);

  EXPECT_EQ(sample.ids, joined({{kBos}, byte_ids("q?a")}));
  EXPECT_EQ(trained_ids(sample), byte_ids("a"));
  EXPECT_EQ(encode_prompt(byte_tokenizer(true), plain, "q?"), joined({{kBos}, byte_ids("q?")}));
  EXPECT_EQ(encode_prompt(byte_tokenizer(false), plain, "q?"), byte_ids("q?"));
}

TEST(SftSample, AnswerIsTokenisedOnItsOwn) {
  // "a" closes the prompt and "b" opens the answer: as one text they would be the single token
  // "ab".
  const ChatTemplate plain = ChatTemplate::select("plain", "");

  const SftSample sample = encode_sample(byte_tokenizer(), plain, "a", "b", false);

  EXPECT_EQ(trained_ids(sample), byte_ids("b"));
}

TEST(SftSample, Llama2PromptBeginsWithOneBos) {
  const ChatTemplate llama = ChatTemplate::select("llama2", "");

  const SftSample sample = encode_sample(byte_tokenizer(), llama, "q?", "yes", true);

  EXPECT_EQ(sample.ids.front(), kBos);
  EXPECT_EQ(std::count(sample.ids.begin(), sample.ids.end(), kBos), 1);
  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEos}}));
}

TEST(SftSample, ConversationOfTwoTurnsEqualsTheSingleQuestion) {
  const Conversation row{"id", {{Role::kUser, "q?"}, {Role::kAssistant, "yes"}}};
  for (const bool train_end : {false, true}) {
    const SftSample several = encode_sample(byte_tokenizer(), chatml(), row, train_end);
    const SftSample one = encode_sample(byte_tokenizer(), chatml(), "q?", "yes", train_end);

    EXPECT_EQ(several.ids, one.ids);
    EXPECT_EQ(several.trained, one.trained);
  }
}

TEST(SftSample, EveryAnswerOfAConversationIsTrained) {
  const Conversation row{"id",
                         {{Role::kUser, "q?"},
                          {Role::kAssistant, "yes"},
                          {Role::kUser, "sure?"},
                          {Role::kAssistant, " no"}}};

  const SftSample sample = encode_sample(byte_tokenizer(), chatml(), row, true);

  EXPECT_EQ(sample.ids, joined({chatml_prompt("q?"),
                                byte_ids("yes"),
                                {kEnd},
                                byte_ids("\n"),
                                chatml_prompt("sure?"),
                                byte_ids(" no"),
                                {kEnd}}));
  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEnd}, byte_ids(" no"), {kEnd}}));
  EXPECT_EQ(sample.prompt_length(), static_cast<int64_t>(chatml_prompt("q?").size()));

  const SftSample open = encode_sample(byte_tokenizer(), chatml(), row, false);
  EXPECT_EQ(trained_ids(open), joined({byte_ids("yes"), byte_ids(" no")}));
}

TEST(SftSample, ConversationInLlama2TrainsEveryAnswer) {
  const ChatTemplate llama = ChatTemplate::select("llama2", "");
  const Conversation row{"id",
                         {{Role::kUser, "q?"},
                          {Role::kAssistant, "yes"},
                          {Role::kUser, "sure?"},
                          {Role::kAssistant, "no"}}};

  const SftSample sample = encode_sample(byte_tokenizer(), llama, row, true);

  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEos}, byte_ids("no"), {kEos}}));
}

/// In the manner of Mistral: a blank of its own before an answer, the end token behind it.
const ModelTemplate kOwn{
    .source =
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[A]{{ m.content }}[/A]"
        "{% elif m.role == 'assistant' %} {{ m.content | trim }}{{ eos_token }}{% else %}"
        "({{ m.content }}){% endif %}{% endfor %}",
    .tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}}};

TEST(SftSample, ModelsOwnTemplateIsTokenisedAsOneText) {
  const ChatTemplate own = ChatTemplate::select("auto", kOwn);

  const SftSample sample = encode_sample(byte_tokenizer(), own, "q?", "yes ", true);

  EXPECT_EQ(sample.ids, joined({{kBos}, byte_ids("[A]q?[/A] yes"), {kEos}}));
  EXPECT_EQ(trained_ids(sample), joined({byte_ids(" yes"), {kEos}}));
  EXPECT_EQ(encode_prompt(byte_tokenizer(), own, own.prompt("q?")),
            joined({{kBos}, byte_ids("[A]q?[/A]")}));
  EXPECT_EQ(trained_ids(encode_sample(byte_tokenizer(), own, "q?", "yes", false)),
            byte_ids(" yes"));
}

Conversation two_answers() {
  return {"id",
          {{Role::kSystem, "s"},
           {Role::kUser, "q?"},
           {Role::kAssistant, "yes"},
           {Role::kUser, "sure?"},
           {Role::kAssistant, "no"}}};
}

TEST(SftSample, EveryAnswerInTheModelsOwnTemplateIsTrained) {
  const ChatTemplate own = ChatTemplate::select("auto", kOwn);
  const SftSample sample = encode_sample(byte_tokenizer(), own, two_answers(), true);

  EXPECT_EQ(
      sample.ids,
      joined({{kBos}, byte_ids("(s)[A]q?[/A] yes"), {kEos}, byte_ids("[A]sure?[/A] no"), {kEos}}));
  EXPECT_EQ(trained_ids(sample), joined({byte_ids(" yes"), {kEos}, byte_ids(" no"), {kEos}}));
}

TEST(SftSample, SystemTurnOfChatMlIsRead) {
  const SftSample sample = encode_sample(byte_tokenizer(), chatml(), two_answers(), true);

  EXPECT_EQ(sample.ids, joined({{kStart},
                                byte_ids("system\ns"),
                                {kEnd},
                                byte_ids("\n"),
                                chatml_prompt("q?"),
                                byte_ids("yes"),
                                {kEnd},
                                byte_ids("\n"),
                                chatml_prompt("sure?"),
                                byte_ids("no"),
                                {kEnd}}));
}

TEST(SftSample, WhatTheTemplateMarksIsTrained) {
  const ChatTemplate own = ChatTemplate::select(
      "auto", ModelTemplate{.source = "{% for m in messages %}{% if m.role == 'assistant' %}"
                                      "{% generation %}<t>{{ m.content }}{{ eos_token }};"
                                      "{% endgeneration %}{% else %}{{ m.content }}{% endif %}"
                                      "{% endfor %}",
                            .tokens = {{"eos_token", "</s>"}}});

  EXPECT_EQ(trained_ids(encode_sample(byte_tokenizer(), own, "q?", "yes", true)),
            joined({byte_ids("<t>yes"), {kEos}, byte_ids(";")}));
  EXPECT_EQ(trained_ids(encode_sample(byte_tokenizer(), own, "q?", "yes", false)),
            byte_ids("<t>yes"));
}

TEST(SftSample, WhatTheTemplateMarksNeedsNoPlaceOfItsOwn) {
  // The answer's length stands behind it, so that its place cannot be told by another text.
  const ChatTemplate own =
      ChatTemplate::select("auto",
                           "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}"
                           "{{ m.content }}{{ m.content | length }}{% endgeneration %}{% else %}"
                           "{{ m.content }}{% endif %}{% endfor %}");

  EXPECT_EQ(trained_ids(encode_sample(byte_tokenizer(), own, "q?", "yes", true)), byte_ids("yes3"));
}

TEST(SftSample, TemplateWithoutAClosingTokenGetsEos) {
  const ChatTemplate own =
      ChatTemplate::select("auto",
                           "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}\n{% "
                           "endfor %}{{ 'a:' if add_generation_prompt }}");

  const SftSample sample = encode_sample(byte_tokenizer(), own, "q", "yes", true);

  EXPECT_EQ(sample.ids, joined({byte_ids("u:q\na:yes"), {kEos}}));
  EXPECT_EQ(trained_ids(sample), joined({byte_ids("yes"), {kEos}}));
}

TEST(SftSample, TruncationKeepsTheBeginning) {
  const SftSample whole = encode_sample(byte_tokenizer(), chatml(), "q?", "yes", true);
  SftSample cut = whole;

  truncate_sample(cut, whole.prompt_length() + 2, "row 5");

  EXPECT_EQ(cut.ids, Ids(whole.ids.begin(), whole.ids.begin() + whole.prompt_length() + 2));
  EXPECT_EQ(trained_ids(cut), byte_ids("ye"));
  SftSample same = whole;
  truncate_sample(same, 1000, "row 5");
  EXPECT_EQ(same.ids, whole.ids);
}

// Numbers of LLaMA-Factory's infer_seqlen for (source, target, cutoff).
TEST(SftSample, ProportionalTruncationShortensBothParts) {
  const auto parts = [](int64_t source, int64_t target, int64_t cutoff) {
    SftSample sample;
    for (int64_t i = 0; i < source + target; ++i) {
      sample.ids.push_back(i);
      sample.trained.push_back(i >= source ? 1 : 0);
    }
    truncate_in_proportion(sample, cutoff, "row");
    EXPECT_EQ(sample.ids.size(), sample.trained.size());
    EXPECT_EQ(sample.ids[static_cast<size_t>(sample.prompt_length())], source);
    return std::pair(sample.prompt_length(), sample.num_trained());
  };

  EXPECT_EQ(parts(3000, 2000, 1000), std::pair(int64_t{600}, int64_t{400}));
  EXPECT_EQ(parts(2000, 3000, 1000), std::pair(int64_t{400}, int64_t{600}));
  EXPECT_EQ(parts(1000, 100, 1000), std::pair(int64_t{900}, int64_t{100}));
  EXPECT_EQ(parts(100, 1000, 1000), std::pair(int64_t{100}, int64_t{900}));
  EXPECT_EQ(parts(250, 200, 600), std::pair(int64_t{250}, int64_t{200}));
}

TEST(SftSample, SampleWithNothingLeftToTrainIsADataErrorThatNamesIt) {
  SftSample sample = encode_sample(byte_tokenizer(), chatml(), "q?", "yes", true);
  const int64_t length = sample.prompt_length();

  EXPECT_THAT(error_of([&] { truncate_sample(sample, length, "train.json: row 5"); }),
              HasSubstr("DataError: train.json: row 5: expected a trained token among the first"));
  EXPECT_THAT(error_of([&] { truncate_sample(sample, 0, "row 5"); }),
              HasSubstr("ConfigError: max_length"));
}

TEST(SftSample, AnswerWithoutTokensIsADataError) {
  EXPECT_THAT(error_of([] { encode_sample(byte_tokenizer(), chatml(), "q?", "", true); }),
              HasSubstr("DataError: answer: expected at least one token"));
}

TEST(SftSample, ConversationMustEndWithAnAnswer) {
  const Conversation row{"row 9", {{Role::kUser, "q?"}}};

  EXPECT_THAT(
      error_of([&row] { encode_sample(byte_tokenizer(), chatml(), row, true); }),
      HasSubstr(
          "DataError: conversation row 9: expected user and assistant by turns, found 1 turns"));
}

}  // namespace
}  // namespace xkde
