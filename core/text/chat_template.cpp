#include "core/text/chat_template.h"

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/text/jinja_literals.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr std::string_view kKnownKeys =
    "auto, chatml, chatml_helpful, chatml_no_system, llama2, plain";
constexpr std::string_view kStart = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>";
constexpr std::string_view kUsualSystemText = "You are a helpful assistant.";

using Role = ChatMessage::Role;

std::string_view role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
  }
  throw InternalError("chat message: expected a role, found another value");
}

bool any_contains(const std::vector<std::string>& literals, std::string_view part) {
  for (const std::string& literal : literals) {
    if (literal.find(part) != std::string::npos) return true;
  }
  return false;
}

bool is_chatml(const std::vector<std::string>& literals) {
  return any_contains(literals, concat(kStart, "assistant\n")) && any_contains(literals, kEnd);
}

/// Llama-2's own marks; templates with [INST] alone (Mistral) space the answer otherwise.
bool is_llama2(const std::vector<std::string>& literals) {
  return any_contains(literals, "[INST]") && any_contains(literals, "[/INST]") &&
         any_contains(literals, "<<SYS>>");
}

/// The text between "<|im_start|>system\n" and "<|im_end|>" where a literal holds all three.
std::optional<std::string> default_system_text(const std::vector<std::string>& literals) {
  const std::string opening = concat(kStart, "system\n");
  std::optional<std::string> text;
  for (const std::string& literal : literals) {
    const size_t begin = literal.find(opening);
    if (begin == std::string::npos) continue;
    const size_t end = literal.find(kEnd, begin);
    if (end == std::string::npos) continue;
    std::string found = literal.substr(begin + opening.size(), end - begin - opening.size());
    XKDE_CHECK(!text || *text == found, ConfigError,
               "chat_template: auto: expected one default system text in the ",
               "model's template, found \"", *text, "\" and \"", found, "\"; name one of ",
               kKnownKeys);
    text = std::move(found);
  }
  return text;
}

void check_order(const std::vector<ChatMessage>& messages) {
  const size_t first = !messages.empty() && messages.front().role == Role::kSystem ? 1 : 0;
  for (size_t i = first; i < messages.size(); ++i) {
    const Role expected = (i - first) % 2 == 0 ? Role::kUser : Role::kAssistant;
    XKDE_CHECK(messages[i].role == expected, DataError, "chat messages: turn ", i + 1,
               ": expected ", role_name(expected), ", found ", role_name(messages[i].role));
  }
  XKDE_CHECK(!messages.empty() && messages.back().role == Role::kUser, DataError,
             "chat messages: expected a last turn of user, found ",
             messages.empty() ? "no turn" : role_name(messages.back().role));
}

std::string chatml_prompt(const std::vector<ChatMessage>& messages,
                          const std::string& system_text) {
  std::string text;
  const auto turn = [&](std::string_view role, std::string_view content) {
    text += concat(kStart, role, "\n", content, kEnd, "\n");
  };
  if (messages.front().role != Role::kSystem && !system_text.empty()) turn("system", system_text);
  for (const ChatMessage& message : messages) turn(role_name(message.role), message.content);
  return text + concat(kStart, "assistant\n");
}

std::string llama2_prompt(const std::vector<ChatMessage>& messages) {
  std::string text;
  std::string system;
  for (const ChatMessage& message : messages) {
    const std::string_view content = unicode::strip(message.content);
    if (message.role == Role::kSystem) {
      system = concat("<<SYS>>\n", message.content, "\n<</SYS>>\n\n");
    } else if (message.role == Role::kUser) {
      text += concat("[INST] ", unicode::strip(concat(system, content)), " [/INST] ");
      system.clear();
    } else {
      text += concat(content, " </s><s>");
    }
  }
  return text;
}

/// Plain text has no marks: the turns, a line each.
std::string plain_prompt(const std::vector<ChatMessage>& messages) {
  std::string text;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i > 0) text += '\n';
    text += messages[i].content;
  }
  return text;
}

}  // namespace

ChatTemplate ChatTemplate::select(std::string_view key, std::string_view jinja) {
  const std::vector<std::string> literals = jinja_literals(jinja);
  ChatTemplate chosen;
  if (key == "auto") {
    XKDE_CHECK(!jinja.empty(), ConfigError,
               "chat_template: auto: expected a model with a chat template, found none; ",
               "name one of ", kKnownKeys);
    XKDE_CHECK(is_chatml(literals) || is_llama2(literals), ConfigError,
               "chat_template: auto: expected a ChatML or Llama-2 template, found another (\"",
               jinja.substr(0, 60), "...\"); name one of ", kKnownKeys);
    chosen.format_ = is_chatml(literals) ? Format::kChatMl : Format::kLlama2;
    if (is_chatml(literals)) chosen.system_text_ = default_system_text(literals).value_or("");
  } else if (key == "chatml") {
    chosen.format_ = Format::kChatMl;
    chosen.system_text_ = default_system_text(literals).value_or(std::string(kUsualSystemText));
  } else if (key == "chatml_helpful") {
    chosen.format_ = Format::kChatMl;
    chosen.system_text_ = kUsualSystemText;
  } else if (key == "chatml_no_system") {
    chosen.format_ = Format::kChatMl;
  } else if (key == "llama2") {
    chosen.format_ = Format::kLlama2;
  } else {
    XKDE_CHECK(key == "plain", ConfigError, "chat_template: expected one of ", kKnownKeys,
               ", found \"", key, "\"");
  }
  if (chosen.format_ == Format::kChatMl) chosen.end_of_turn_ = kEnd;
  if (chosen.format_ == Format::kLlama2) chosen.end_of_turn_ = "</s>";
  return chosen;
}

std::string ChatTemplate::prompt(std::string_view user) const {
  return prompt(std::vector<ChatMessage>{{Role::kUser, std::string(user)}});
}

std::string ChatTemplate::prompt(const std::vector<ChatMessage>& messages) const {
  check_order(messages);
  switch (format_) {
    case Format::kChatMl:
      return chatml_prompt(messages, system_text_);
    case Format::kLlama2:
      return llama2_prompt(messages);
    case Format::kPlain:
      return plain_prompt(messages);
  }
  throw InternalError("chat template: expected a format, found another value");
}

std::string ChatTemplate::finished(const std::vector<ChatMessage>& messages) const {
  XKDE_CHECK(!messages.empty() && messages.back().role == Role::kAssistant, DataError,
             "chat messages: expected a last turn of assistant, found ",
             messages.empty() ? "no turn" : role_name(messages.back().role));
  const std::string before = prompt({messages.begin(), messages.end() - 1});
  const std::string& answer = messages.back().content;
  switch (format_) {
    case Format::kChatMl:
      return concat(before, answer, kEnd, "\n");
    case Format::kLlama2:
      return concat("<s>", before, unicode::strip(answer), " </s>");
    case Format::kPlain:
      return before + answer;
  }
  throw InternalError("chat template: expected a format, found another value");
}

}  // namespace xkde
