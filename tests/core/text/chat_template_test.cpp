#include "core/text/chat_template.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/text/jinja_literals.h"
#include "tests/core/text/error_of.h"

namespace {

using namespace xkde;
using testing::ElementsAre;
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
{%- for message in messages %}{{- '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %})";

constexpr const char* kChatMlWithoutSystem =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

constexpr const char* kLlama2Like =
    "{% if messages[0]['role'] == 'system' %}{% set system_message = messages[0]['content'] %}{% "
    "endif %}"
    "{% for message in messages %}{% set content = '<<SYS>>\\n' + system_message + "
    "'\\n<</SYS>>\\n\\n' + message['content'] %}"
    "{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}";

TEST(JinjaLiterals, AreReadWithTheirEscapes) {
  EXPECT_THAT(
      jinja_literals(
          R"(text 'no' {# 'no' #}{{ 'a\n' + "b'\"\\" }}{%- if x == 'c' -%}{ 'no' }{{ '\x41\u00e9\q' }})"),
      ElementsAre("a\n", "b'\"\\", "c", "A\u00e9\\q"));
  EXPECT_THAT(jinja_literals("{{ 'two\r\nlines' }}"), ElementsAre("two\nlines"));
  EXPECT_THAT(jinja_literals("{{ 'not closed"), ElementsAre("not closed"));
}

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
  const ChatTemplate chat = ChatTemplate::select(
      "auto", "{{ bos_token }}{{ '<start_of_turn>' + role + '\\n' + text + '<end_of_turn>\\n' }}");

  EXPECT_EQ(chat.format(), ChatTemplate::Format::kGemma);
  EXPECT_EQ(ChatTemplate::select("gemma", "").format(), ChatTemplate::Format::kGemma);
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

TEST(ChatTemplate, UnknownTemplateIsAConfigErrorThatNamesTheKeyAndTheChoices) {
  EXPECT_THAT(
      error_of([] { ChatTemplate::select("auto", "{{ '<|begin|>' }}"); }),
      HasSubstr("ConfigError: chat_template: auto: expected a template of ChatML, Llama-2 or "
                "Gemma, found another"));
  EXPECT_THAT(
      error_of([] { ChatTemplate::select("auto", "{{ '<|begin|>' }}"); }),
      HasSubstr(
          "name one of auto, chatml, chatml_helpful, chatml_no_system, llama2, gemma, plain"));
  EXPECT_THAT(
      error_of([] { ChatTemplate::select("auto", ""); }),
      HasSubstr(
          "ConfigError: chat_template: auto: expected a model with a chat template, found none"));
  EXPECT_THAT(error_of([] { ChatTemplate::select("alpaca", ""); }),
              HasSubstr("ConfigError: chat_template: expected one of auto, chatml, chatml_helpful, "
                        "chatml_no_system, llama2, gemma, plain, found "
                        "\"alpaca\""));
}

TEST(ChatTemplate, TwoDefaultSystemTextsAreAConfigError) {
  EXPECT_THAT(error_of([] {
                ChatTemplate::select(
                    "auto",
                    "{{'<|im_start|>system\\nA<|im_end|>'}}{{'<|im_start|>system\\nB<|im_end|>'}}"
                    "{{'<|im_start|>assistant\\n'}}");
              }),
              HasSubstr("ConfigError: chat_template: auto: expected one default system text"));
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
