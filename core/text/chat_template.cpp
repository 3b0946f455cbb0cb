#include "core/text/chat_template.h"

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/text/jinja_literals.h"
#include "core/text/regex/unicode.h"

namespace xkde {
namespace {

constexpr std::string_view kStart = "<|im_start|>";
constexpr std::string_view kEnd = "<|im_end|>";
constexpr std::string_view kGemmaStart = "<start_of_turn>";
constexpr std::string_view kGemmaEnd = "<end_of_turn>";
constexpr std::string_view kUsualSystemText = "You are a helpful assistant.";

using Role = ChatMessage::Role;
using Format = ChatTemplate::Format;

/// Whose system text stands before a conversation that has none.
enum class DefaultSystem { kNone, kModels, kUsual };

/// The keys of a recipe beside "auto".
struct Key {
  std::string_view name;
  Format format;
  DefaultSystem system;
};
constexpr Key kKeys[] = {{"chatml", Format::kChatMl, DefaultSystem::kModels},
                         {"chatml_helpful", Format::kChatMl, DefaultSystem::kUsual},
                         {"chatml_no_system", Format::kChatMl, DefaultSystem::kNone},
                         {"llama2", Format::kLlama2, DefaultSystem::kNone},
                         {"gemma", Format::kGemma, DefaultSystem::kNone},
                         {"plain", Format::kPlain, DefaultSystem::kNone}};

/// "auto, chatml, ..."
std::string known_keys() {
  std::string text;
  for (const std::string_view key : ChatTemplate::keys())
    text.append(text.empty() ? "" : ", ").append(key);
  return text;
}

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

bool is_gemma(const std::vector<std::string>& literals) {
  return any_contains(literals, kGemmaStart) && any_contains(literals, kGemmaEnd);
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
               known_keys());
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

std::string llama2_prompt(const std::vector<ChatMessage>& messages,
                          const std::string& /*system_text*/) {
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

/// A system text stands before the first user's, with an empty line between them.
std::string gemma_prompt(const std::vector<ChatMessage>& messages,
                         const std::string& /*system_text*/) {
  std::string text;
  std::string system;
  for (const ChatMessage& message : messages) {
    if (message.role == Role::kSystem) {
      system = concat(message.content, "\n\n");
      continue;
    }
    const std::string_view role = message.role == Role::kUser ? "user" : "model";
    text +=
        concat(kGemmaStart, role, "\n", system, unicode::strip(message.content), kGemmaEnd, "\n");
    system.clear();
  }
  return text + concat(kGemmaStart, "model\n");
}

/// Plain text has no marks: the turns, a line each.
std::string plain_prompt(const std::vector<ChatMessage>& messages,
                         const std::string& /*system_text*/) {
  std::string text;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (i > 0) text += '\n';
    text += messages[i].content;
  }
  return text;
}

/// One way to write a conversation. A format is a row: what follows reads the table only.
struct FormatRules {
  Format format;
  std::string_view end_of_turn;  ///< the token that closes an answer; empty: none
  bool wants_bos;                ///< whether BOS is left to the tokenizer
  /// Whether the literals of a model's own template are of this format; null: never taken by
  /// "auto".
  bool (*recognises)(const std::vector<std::string>& literals);
  /// The text before the answer; the turns are in order, and the last is a user's.
  std::string (*prompt)(const std::vector<ChatMessage>& messages, const std::string& system_text);
  std::string (*finished)(const std::string& prompt, const std::string& answer);
};
constexpr FormatRules kFormats[] = {
    {.format = Format::kChatMl,
     .end_of_turn = kEnd,
     .wants_bos = false,
     .recognises = is_chatml,
     .prompt = chatml_prompt,
     .finished = [](const std::string& prompt,
                    const std::string& answer) { return concat(prompt, answer, kEnd, "\n"); }},
    {.format = Format::kLlama2,
     .end_of_turn = "</s>",
     .wants_bos = true,
     .recognises = is_llama2,
     .prompt = llama2_prompt,
     .finished =
         [](const std::string& prompt, const std::string& answer) {
           return concat("<s>", prompt, unicode::strip(answer), " </s>");
         }},
    {.format = Format::kGemma,
     .end_of_turn = kGemmaEnd,
     .wants_bos = true,
     .recognises = is_gemma,
     .prompt = gemma_prompt,
     .finished =
         [](const std::string& prompt, const std::string& answer) {
           return concat("<bos>", prompt, unicode::strip(answer), kGemmaEnd, "\n");
         }},
    {.format = Format::kPlain,
     .end_of_turn = "",
     .wants_bos = false,
     .recognises = nullptr,
     .prompt = plain_prompt,
     .finished = [](const std::string& prompt,
                    const std::string& answer) { return prompt + answer; }},
};

const FormatRules& rules_of(Format format) {
  for (const FormatRules& rules : kFormats) {
    if (rules.format == format) return rules;
  }
  throw InternalError("chat template: expected a format, found another value");
}

/// The key that says what "auto" finds in the model's own template.
Key recognised(std::string_view jinja, const std::vector<std::string>& literals) {
  XKDE_CHECK(!jinja.empty(), ConfigError,
             "chat_template: auto: expected a model with a chat template, found none; ",
             "name one of ", known_keys());
  for (const FormatRules& rules : kFormats) {
    if (rules.recognises != nullptr && rules.recognises(literals))
      return {"auto", rules.format, DefaultSystem::kModels};
  }
  throw ConfigError(concat(
      "chat_template: auto: expected a template of ChatML, Llama-2 or Gemma, found another (\"",
      jinja.substr(0, 60), "...\"); name one of ", known_keys()));
}

Key key_named(std::string_view name) {
  for (const Key& key : kKeys) {
    if (key.name == name) return key;
  }
  throw ConfigError(
      concat("chat_template: expected one of ", known_keys(), ", found \"", name, "\""));
}

}  // namespace

std::vector<std::string_view> ChatTemplate::keys() {
  std::vector<std::string_view> names{"auto"};
  for (const Key& key : kKeys) names.push_back(key.name);
  return names;
}

ChatTemplate ChatTemplate::select(std::string_view name, std::string_view jinja) {
  const std::vector<std::string> literals = jinja_literals(jinja);
  const Key key = name == "auto" ? recognised(jinja, literals) : key_named(name);
  const FormatRules& rules = rules_of(key.format);
  ChatTemplate chosen;
  chosen.format_ = key.format;
  chosen.end_of_turn_ = rules.end_of_turn;
  chosen.wants_bos_ = rules.wants_bos;
  if (key.system == DefaultSystem::kUsual) chosen.system_text_ = kUsualSystemText;
  if (key.system == DefaultSystem::kModels && key.format == Format::kChatMl) {
    const std::string_view fallback = name == "auto" ? "" : kUsualSystemText;
    chosen.system_text_ = default_system_text(literals).value_or(std::string(fallback));
  }
  return chosen;
}

std::string ChatTemplate::prompt(std::string_view user) const {
  return prompt(std::vector<ChatMessage>{{Role::kUser, std::string(user)}});
}

std::string ChatTemplate::prompt(const std::vector<ChatMessage>& messages) const {
  check_order(messages);
  return rules_of(format_).prompt(messages, system_text_);
}

std::string ChatTemplate::finished(const std::vector<ChatMessage>& messages) const {
  XKDE_CHECK(!messages.empty() && messages.back().role == Role::kAssistant, DataError,
             "chat messages: expected a last turn of assistant, found ",
             messages.empty() ? "no turn" : role_name(messages.back().role));
  const std::string before = prompt({messages.begin(), messages.end() - 1});
  return rules_of(format_).finished(before, messages.back().content);
}

}  // namespace xkde
