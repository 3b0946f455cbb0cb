#include "core/text/chat_template.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/core/text/error_of.h"

namespace {

using namespace xkde;
using testing::AllOf;
using testing::HasSubstr;
using xkde::test::error_of;
using Role = ChatMessage::Role;

/// In the manner of Qwen2.5: escapes, whitespace control, a tools branch.
constexpr const char* kQwenLike = R"({%- if tools %}
    {{- '<|im_start|>system\n' }}
    {%- if messages[0]['role'] == 'system' %}{{- messages[0]['content'] }}{%- else %}
        {{- 'You are Qwen, created by Alibaba Cloud. You are a helpful assistant.' }}{%- endif %}
    {{- "\n\n# Tools\n\nYou may call \"one\" function<|im_end|>\n" }}
{%- else %}
    {%- if messages[0]['role'] == 'system' %}
        {{- '<|im_start|>system\n' + messages[0]['content'] + '<|im_end|>\n' }}
    {%- else %}
        {{- '<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n' }}
    {%- endif %}
{%- endif %}
{%- for message in messages %}{%- if message.role != 'system' or not loop.first %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %})";

constexpr const char* kChatMlWithoutSystem =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/// In the manner of Llama-2.
const ModelTemplate kLlama2Like{
    .source =
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}"
        "{% set system_message = messages[0]['content'] %}{% else %}"
        "{% set loop_messages = messages %}{% set system_message = false %}{% endif %}"
        "{% for message in loop_messages %}"
        "{% if loop.index0 == 0 and system_message != false %}"
        "{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] "
        "%}"
        "{% else %}{% set content = message['content'] %}{% endif %}"
        "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' "
        "}}"
        "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    .tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}}};

/// In the manner of Llama-3: another way to write turns.
const ModelTemplate kHeads{
    .source =
        "{{- bos_token }}{%- for m in messages %}{{- '<|h|>' + m['role'] + '<|/h|>\\n' + "
        "m['content'] | trim + '<|eot|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|h|>assistant<|/h|>\\n' }}{%- endif %}",
    .tokens = {{"bos_token", "<s>"}}};

TEST(ChatTemplate, ChatMlTakesTheModelsDefaultSystemText) {
  const ChatTemplate chat = ChatTemplate::select("auto", kQwenLike);

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kChatMl);
  EXPECT_EQ(chat.end_of_turn(), "<|im_end|>");
  EXPECT_FALSE(chat.wants_bos());
  EXPECT_EQ(chat.prompt("Hi"),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n"
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, OwnSystemTurnReplacesTheDefault) {
  const ChatTemplate chat = ChatTemplate::select("auto", kQwenLike);

  EXPECT_EQ(chat.prompt({{Role::kSystem, "Short."}, {Role::kUser, "Hi"}}),
            "<|im_start|>system\nShort.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>"
            "assistant\n");
}

TEST(ChatTemplate, ChatMlWithoutSystemTextHasNone) {
  const std::string expected = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n";

  EXPECT_EQ(ChatTemplate::select("auto", kChatMlWithoutSystem).prompt("Hi"), expected);
  EXPECT_EQ(ChatTemplate::select("chatml_no_system", kQwenLike).prompt("Hi"), expected);
}

TEST(ChatTemplate, ChatMlByNameTakesTheUsualSystemTextWhereTheModelHasNone) {
  EXPECT_EQ(ChatTemplate::select("chatml", "").system_text(), "You are a helpful assistant.");
  EXPECT_THAT(ChatTemplate::select("chatml", kQwenLike).system_text(), HasSubstr("You are Qwen"));
}

TEST(ChatTemplate, AFormatByNameNeedsNoTemplateThatCanBeRendered) {
  for (const char* source :
       {"{{ messages | urlize }}", "{% for", "{{ strftime_now('%Y') }}",
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content | urlize }}{% endfor %}"}) {
    for (const std::string_view key : ChatTemplate::keys()) {
      if (key == "auto") continue;
      const ChatTemplate named = ChatTemplate::select(key, source);
      EXPECT_EQ(named.prompt("Hi"), ChatTemplate::select(key, "").prompt("Hi")) << key << source;
    }
  }
}

TEST(ChatTemplate, ChatMlByNameSaysWhoseSystemTextCouldNotBeRead) {
  testing::internal::CaptureStderr();
  ChatTemplate::select("chatml", "{{ messages | urlize }}");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");

  testing::internal::CaptureStderr();
  ChatTemplate::select("chatml", "<|im_start|>{{ messages | urlize }}");
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("chat_template: chatml: line 1: filter: expected one of"),
                    HasSubstr("the system text is taken to be \"You are a helpful assistant.\"")));
}

TEST(ChatTemplate, Llama2LeavesBosToTheTokenizer) {
  const ChatTemplate chat = ChatTemplate::select("auto", kLlama2Like);

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kLlama2);
  EXPECT_TRUE(chat.wants_bos());
  EXPECT_EQ(chat.end_of_turn(), "</s>");
  EXPECT_EQ(chat.prompt("  Hi\n"), "[INST] Hi [/INST] ");
  EXPECT_EQ(chat.prompt({{Role::kSystem, "Short."},
                         {Role::kUser, "One"},
                         {Role::kAssistant, " Two "},
                         {Role::kUser, "Three"}}),
            "[INST] <<SYS>>\nShort.\n<</SYS>>\n\nOne [/INST] Two </s><s>[INST] Three [/INST] ");
}

TEST(ChatTemplate, GemmaNamesTheAnswerersTurnModel) {
  const ChatTemplate chat = ChatTemplate::select("gemma", "");

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kGemma);
  EXPECT_TRUE(chat.wants_bos());
  EXPECT_EQ(chat.end_of_turn(), "<end_of_turn>");
  EXPECT_EQ(chat.prompt(" Hi\n"), "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(chat.finished({{Role::kSystem, "Short."},
                           {Role::kUser, "One"},
                           {Role::kAssistant, " Two "},
                           {Role::kUser, "Three"},
                           {Role::kAssistant, "Four"}}),
            "<bos><start_of_turn>user\nShort.\n\nOne<end_of_turn>\n<start_of_turn>model\nTwo"
            "<end_of_turn>\n<start_of_turn>user\nThree<end_of_turn>\n<start_of_turn>model\nFour"
            "<end_of_turn>\n");
}

TEST(ChatTemplate, PlainIsTheTextItself) {
  const ChatTemplate chat = ChatTemplate::select("plain", kQwenLike);

  EXPECT_EQ(chat.prompt("Hi "), "Hi ");
  EXPECT_EQ(chat.end_of_turn(), "");
}

TEST(ChatTemplate, WhatGoesWithATrainedModelWritesWhatItWasTrainedOn) {
  const std::vector<std::vector<ChatMessage>> chats{
      {{Role::kUser, " It's \n"}},
      {{Role::kSystem, "Short."}, {Role::kUser, "One"}},
      {{Role::kUser, "One"}, {Role::kAssistant, " Two "}, {Role::kUser, "Three"}}};
  for (const char* key : {"chatml", "chatml_helpful", "chatml_no_system", "llama2", "gemma"}) {
    const ChatTemplate used = ChatTemplate::select(key, kHeads);
    ModelTemplate exported = kHeads;
    exported.source = used.source_for(kHeads);
    const ChatTemplate own = ChatTemplate::select("auto", exported);
    for (const std::vector<ChatMessage>& chat : chats) {
      const bool adds_bos = used.wants_bos() && !own.wants_bos();
      const std::string trained = (adds_bos ? "<s>" : "") + used.prompt(chat);
      EXPECT_EQ(own.prompt(chat), trained) << key;
    }
  }
}

TEST(ChatTemplate, ModelsOwnGoesWithAModelThatWasTrainedOnTheSame) {
  const auto source_of = [](const char* key, const ModelTemplate& model) {
    return ChatTemplate::select(key, model).source_for(model);
  };
  const ModelTemplate quotes{.source = "{{ '<|im_start|>system\n\\'\\\\\n<|im_end|>\n' }}" +
                                       std::string(kChatMlWithoutSystem),
                             .tokens = {}};
  const ModelTemplate qwen{.source = kQwenLike, .tokens = {}};

  EXPECT_EQ(source_of("auto", kHeads), kHeads.source);
  EXPECT_EQ(source_of("plain", kHeads), kHeads.source);
  EXPECT_EQ(source_of("chatml", qwen), kQwenLike);
  EXPECT_EQ(source_of("llama2", kLlama2Like), kLlama2Like.source);
  EXPECT_EQ(source_of("plain", {}), "");
  const std::string no_system = source_of("chatml_no_system", qwen);
  EXPECT_NE(no_system, kQwenLike);
  EXPECT_EQ(ChatTemplate::select("auto", no_system).system_text(), "");
  const std::string with_quotes = source_of("chatml", quotes);
  EXPECT_EQ(ChatTemplate::select("auto", with_quotes).system_text(), "'\\\n");
}

TEST(ChatTemplate, ChatMlThatCutsBlanksIsRenderedAsItIs) {
  const ChatTemplate chat = ChatTemplate::select(
      "auto",
      "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content | trim + "
      "'<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n' if add_generation_prompt }}");

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kOwn);
  EXPECT_EQ(chat.text_behind_answer(), "<|im_end|>\n");
}

TEST(ChatTemplate, DefaultSystemTextMayStandInAVariable) {
  const ChatTemplate chat = ChatTemplate::select(
      "auto",
      "{% set sys = 'You answer briefly.' %}{% if messages[0]['role'] == 'system' %}"
      "{% set sys = messages[0]['content'] %}{% endif %}{% if sys is defined %}"
      "{{ '<|im_start|>system\n' + sys + '<|im_end|>\n' }}{% endif %}{% for m in messages %}"
      "{% if m['role'] == 'user' %}{{ '<|im_start|>user\n' + m['content'] + "
      "'<|im_end|>\n<|im_start|>assistant\n' }}{% elif m['role'] == 'assistant' %}"
      "{{ m['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}");

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kChatMl);
  EXPECT_EQ(chat.system_text(), "You answer briefly.");
  EXPECT_EQ(chat.prompt("Q"),
            "<|im_start|>system\nYou answer briefly.<|im_end|>\n<|im_start|>user\nQ<|im_end|>\n"
            "<|im_start|>assistant\n");
}

TEST(ChatTemplate, ChatMlMayBeginWithBos) {
  const ChatTemplate chat = ChatTemplate::select(
      "auto", ModelTemplate{.source = std::string("{{ bos_token }}") + kChatMlWithoutSystem,
                            .tokens = {{"bos_token", "<|bos|>"}}});

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kChatMl);
  EXPECT_FALSE(chat.wants_bos());
  EXPECT_EQ(chat.prompt("Q"), "<|bos|><|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n");
}

TEST(ChatTemplate, AnotherTemplateIsRenderedAsItIs) {
  const ChatTemplate chat = ChatTemplate::select("auto", kHeads);
  const std::vector<ChatMessage> turns{{Role::kUser, " One "},
                                       {Role::kAssistant, " Two "},
                                       {Role::kUser, "Three"},
                                       {Role::kAssistant, "Four"}};

  const WrittenChat written = chat.written(turns);
  const std::vector<WrittenChat::Part> answers = chat.places_of_answers(turns, written.text);

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kOwn);
  EXPECT_EQ(chat.text_behind_answer(), "<|eot|>");
  EXPECT_EQ(chat.prompt(" Q "), "<s><|h|>user<|/h|>\nQ<|eot|><|h|>assistant<|/h|>\n");
  EXPECT_EQ(written.text, chat.finished(turns));
  ASSERT_EQ(answers.size(), 2U);
  const auto part = [&](size_t i) {
    return written.text.substr(answers[i].begin, answers[i].end - answers[i].begin);
  };
  EXPECT_EQ(part(0), "Two");
  EXPECT_EQ(part(1), "Four");
}

TEST(ChatTemplate, AnswerBeginsWhereItsPromptEnds) {
  // Before the last answer stands a thought, as a model would write it, before others none.
  const ChatTemplate chat = ChatTemplate::select(
      "auto",
      "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}<t></t>"
      "{% endif %}{{ m.content }};{% endfor %}{% if add_generation_prompt %}<assistant>{% endif "
      "%}");

  const std::vector<ChatMessage> turns{
      {Role::kUser, "a"}, {Role::kAssistant, "b"}, {Role::kUser, "c"}, {Role::kAssistant, "d"}};

  const WrittenChat written = chat.written(turns);
  const std::vector<WrittenChat::Part> answers = chat.places_of_answers(turns, written.text);

  EXPECT_EQ(written.text, "<user>a;<assistant>b;<user>c;<assistant><t></t>d;");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(written.text.substr(answers[0].begin, 1), "b");
  EXPECT_EQ(written.text.substr(answers[1].begin, 8), "<t></t>d");
}

TEST(ChatTemplate, AnswerWithoutAPlaceOfItsOwnIsAConfigError) {
  const ChatTemplate chat = ChatTemplate::select(
      "auto", "{% for m in messages %}{{ m.content }}{{ m.content | length }};{% endfor %}");

  EXPECT_THAT(error_of([&] {
                const std::vector<ChatMessage> turns{{Role::kUser, "a"}, {Role::kAssistant, "b"}};
                chat.places_of_answers(turns, chat.finished(turns));
              }),
              HasSubstr("ConfigError: chat_template: auto: expected a template that writes each "
                        "answer once"));
}

TEST(ChatTemplate, WhatCannotBeRenderedIsAConfigErrorWithItsPlace) {
  EXPECT_THAT(error_of([] { ChatTemplate::select("auto", "a\n{{ messages | urlize }}"); }),
              AllOf(HasSubstr("ConfigError: chat_template: auto: line 2: filter: expected one of"),
                    HasSubstr("; or name a format that leaves the model's own out: "
                              "chatml_helpful, chatml_no_system, llama2, gemma, plain")));
  EXPECT_THAT(error_of([] { ChatTemplate::select("auto", "{{ strftime_now('%Y') }}"); }),
              HasSubstr("ConfigError: chat_template: auto: line 1: strftime_now: expected a day"));
  EXPECT_THAT(
      error_of([] { ChatTemplate::select("auto", "{{ raise_exception('no') }}"); }),
      HasSubstr("ConfigError: chat_template: auto: line 1: expected a conversation that the "
                "template takes, found one that it turns away: no"));
  EXPECT_THAT(
      error_of([] { ChatTemplate::select("auto", ""); }),
      HasSubstr(
          "ConfigError: chat_template: auto: expected a model with a chat template, found none; "
          "name one of chatml_helpful, chatml_no_system, llama2, gemma, plain"));
  EXPECT_THAT(error_of([] { ChatTemplate::select("alpaca", ""); }),
              HasSubstr("ConfigError: chat_template: expected one of auto, chatml, chatml_helpful, "
                        "chatml_no_system, llama2, gemma, plain, found "
                        "\"alpaca\""));
}

TEST(ChatTemplate, TemplateMayTurnAConversationAway) {
  const ChatTemplate chat = ChatTemplate::select("auto",
                                                 "{% for m in messages %}{% if m.role == 'system' "
                                                 "%}{{ raise_exception('no system') }}{% endif "
                                                 "%}{{ m.content }};{% endfor %}");

  EXPECT_THAT(error_of([&] {
                chat.prompt({{Role::kSystem, "s"}, {Role::kUser, "q"}});
              }),
              HasSubstr("DataError: chat_template: auto: line 1: expected a conversation that the "
                        "template takes"));
}

TEST(ChatTemplate, TurnsMustAlternateAndEndWithAUser) {
  const ChatTemplate chat = ChatTemplate::select("chatml", "");
  const auto error = [&](const std::vector<ChatMessage>& messages) {
    return error_of([&] { chat.prompt(messages); });
  };

  EXPECT_THAT(error({}),
              HasSubstr("DataError: chat messages: expected a last turn of user, found no turn"));
  EXPECT_THAT(error({{Role::kUser, "a"}, {Role::kAssistant, "b"}}),
              HasSubstr("last turn of user, found assistant"));
  EXPECT_THAT(error({{Role::kUser, "a"}, {Role::kUser, "b"}}),
              HasSubstr("chat messages: turn 2: expected assistant, found user"));
}

}  // namespace
