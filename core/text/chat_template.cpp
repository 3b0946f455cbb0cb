#include "core/text/chat_template.h"

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
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

/// Those that need no template of the model.
std::string keys_without_own() {
  std::string text;
  for (const Key& key : kKeys) {
    if (key.system != DefaultSystem::kModels)
      text.append(text.empty() ? "" : ", ").append(key.name);
  }
  return text;
}

std::string_view role_name(Role role) { return name_of(kRoleNames, role); }

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

/// What a model's own template writes for a few conversations.
struct Probe {
  std::string asked;     ///< a question, up to the answer
  std::string answered;  ///< the same with its answer
  std::string padded;    ///< the same with blanks around the answer
  std::string again;     ///< a second question after that; empty: the template turns it away
  std::string briefed;   ///< the question after a system turn; empty: the same
};
constexpr std::string_view kSystem = "Brief.";
constexpr std::string_view kQuestion = "First question?";
constexpr std::string_view kAnswer = "First answer.";
constexpr std::string_view kPadded = " First answer. ";
constexpr std::string_view kSecond = "Second question?";

std::string text_or_none(const OwnTemplate& own, const std::vector<ChatMessage>& messages) {
  try {
    return own.text(messages, /*add_generation_prompt=*/true);
  } catch (const DataError&) {
    return "";  // such a conversation is turned away
  }
}

Probe probe_of(const OwnTemplate& own) {
  const ChatMessage question{Role::kUser, std::string(kQuestion)};
  const ChatMessage answer{Role::kAssistant, std::string(kAnswer)};
  const ChatMessage second{Role::kUser, std::string(kSecond)};
  const ChatMessage system{Role::kSystem, std::string(kSystem)};
  try {
    return {.asked = own.text({question}, true),
            .answered = own.text({question, answer}, false),
            .padded = own.text({question, {Role::kAssistant, std::string(kPadded)}}, false),
            .again = text_or_none(own, {question, answer, second}),
            .briefed = text_or_none(own, {system, question})};
  } catch (const DataError& error) {
    throw ConfigError(error.what());  // a template that takes no question
  }
}

/// A template that marks what is trained is followed in that, whatever it looks like.
bool writes_chatml(const Probe& probe, const OwnTemplate& own) {
  const std::string opening = concat(kStart, "assistant\n");
  const auto turn = [&](std::string_view text) {
    return concat(kStart, "user\n", text, kEnd, "\n", opening);
  };
  const std::string answered = concat(probe.asked, kAnswer, kEnd);
  const std::string padded = concat(probe.asked, kPadded, kEnd);
  return !own.has_generation() && probe.asked.ends_with(turn(kQuestion)) &&
         (probe.answered == answered || probe.answered == answered + "\n") &&
         (probe.padded == padded || probe.padded == padded + "\n") &&
         probe.again == concat(answered, "\n", turn(kSecond));
}

/// Llama-2's own marks; templates with [INST] alone (Mistral) space the answer otherwise.
bool writes_llama2(const Probe& probe, const OwnTemplate& own) {
  const std::string answered = concat("<s>[INST] ", kQuestion, " [/INST] ", kAnswer, " </s>");
  return !own.has_generation() && own.token("bos_token") == "<s>" &&
         probe.asked == concat("<s>[INST] ", kQuestion, " [/INST]") && probe.answered == answered &&
         probe.again == concat(answered, "<s>[INST] ", kSecond, " [/INST]") &&
         probe.briefed ==
             concat("<s>[INST] <<SYS>>\n", kSystem, "\n<</SYS>>\n\n", kQuestion, " [/INST]");
}

/// What ChatML says in its first turn where the conversation has no system turn; nothing where it
/// begins with the user's.
std::optional<std::string> default_system_text(const Probe& probe) {
  const std::string opening = concat(kStart, "system\n");
  const size_t begin = probe.asked.find(opening);
  const size_t end = probe.asked.find(concat(kEnd, "\n", kStart, "user\n", kQuestion));
  if (begin == std::string::npos || end == std::string::npos) return std::nullopt;
  return probe.asked.substr(begin + opening.size(), end - begin - opening.size());
}

/// `text` in quotes, as Jinja reads it.
std::string literal_of(std::string_view text) {
  std::string literal = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') literal += '\\';
    literal += c == '\n' ? "\\n" : std::string(1, c);
  }
  return literal + "'";
}

std::string chatml_source(const std::string& system_text) {
  const std::string first =
      system_text.empty()
          ? ""
          : concat("{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\n' + ",
                   literal_of(system_text), " + '<|im_end|>\\n' }}{% endif %}");
  return concat(first,
                "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + "
                "message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}"
                "{{ '<|im_start|>assistant\\n' }}{% endif %}");
}

std::string llama2_source(const std::string& /*system_text*/) {
  return "{% set first = namespace(text='') %}{% for message in messages %}"
         "{% if message.role == 'system' %}"
         "{% set first.text = '<<SYS>>\\n' + message.content + '\\n<</SYS>>\\n\\n' %}"
         "{% elif message.role == 'user' %}"
         "{{ bos_token + '[INST] ' + (first.text + message.content.strip()).strip() + ' [/INST]' }}"
         "{% set first.text = '' %}"
         "{% else %}{{ ' ' + message.content.strip() + ' </s>' }}{% endif %}{% endfor %}";
}

std::string gemma_source(const std::string& /*system_text*/) {
  return "{{ bos_token }}{% set first = namespace(text='') %}{% for message in messages %}"
         "{% if message.role == 'system' %}{% set first.text = message.content + '\\n\\n' %}"
         "{% else %}{{ '<start_of_turn>' + ('user' if message.role == 'user' else 'model') + '\\n' "
         "+ first.text + message.content.strip() + '<end_of_turn>\\n' }}"
         "{% set first.text = '' %}{% endif %}{% endfor %}"
         "{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}";
}

/// One way to write a conversation. A format is a row: what follows reads the table only.
struct FormatRules {
  Format format;
  std::string_view end_of_turn;  ///< the token that closes an answer; empty: none
  bool wants_bos;                ///< whether BOS is left to the tokenizer
  /// Whether a model's own template writes this format; null: none is asked.
  bool (*writes)(const Probe& probe, const OwnTemplate& own);
  /// The text before the answer; the turns are in order, and the last is a user's.
  std::string (*prompt)(const std::vector<ChatMessage>& messages, const std::string& system_text);
  std::string (*finished)(const std::string& prompt, const std::string& answer);
  /// Jinja that writes this, BOS included; null: the format is no template.
  std::string (*source)(const std::string& system_text);
};
constexpr FormatRules kFormats[] = {
    {.format = Format::kChatMl,
     .end_of_turn = kEnd,
     .wants_bos = false,
     .writes = writes_chatml,
     .prompt = chatml_prompt,
     .finished = [](const std::string& prompt,
                    const std::string& answer) { return concat(prompt, answer, kEnd, "\n"); },
     .source = chatml_source},
    {.format = Format::kLlama2,
     .end_of_turn = "</s>",
     .wants_bos = true,
     .writes = writes_llama2,
     .prompt = llama2_prompt,
     .finished =
         [](const std::string& prompt, const std::string& answer) {
           return concat("<s>", prompt, unicode::strip(answer), " </s>");
         },
     .source = llama2_source},
    {.format = Format::kGemma,
     .end_of_turn = kGemmaEnd,
     .wants_bos = true,
     .writes = nullptr,
     .prompt = gemma_prompt,
     .finished =
         [](const std::string& prompt, const std::string& answer) {
           return concat("<bos>", prompt, unicode::strip(answer), kGemmaEnd, "\n");
         },
     .source = gemma_source},
    {.format = Format::kPlain,
     .end_of_turn = "",
     .wants_bos = false,
     .writes = nullptr,
     .prompt = plain_prompt,
     .finished = [](const std::string& prompt,
                    const std::string& answer) { return prompt + answer; },
     .source = nullptr},
};

const FormatRules& rules_of(Format format) {
  for (const FormatRules& rules : kFormats) {
    if (rules.format == format) return rules;
  }
  throw InternalError("chat template: expected a format, found another value");
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

ChatTemplate ChatTemplate::of_model(const ModelTemplate& model, const std::string& name) {
  ChatTemplate chosen;
  Probe probe;
  try {
    chosen.own_ = std::make_shared<const OwnTemplate>(model, name);
    probe = probe_of(*chosen.own_);
  } catch (const ConfigError& error) {
    throw ConfigError(concat(
        error.what(), "; or name a format that leaves the model's own out: ", keys_without_own()));
  }
  chosen.format_ = Format::kOwn;
  for (const FormatRules& rules : kFormats) {
    if (rules.writes == nullptr || !rules.writes(probe, *chosen.own_)) continue;
    chosen.format_ = rules.format;
    chosen.end_of_turn_ = rules.end_of_turn;
    chosen.wants_bos_ = rules.wants_bos;
  }
  if (chosen.format_ == Format::kChatMl)
    chosen.system_text_ = default_system_text(probe).value_or("");
  const size_t answer = probe.answered.rfind(kAnswer);
  if (chosen.format_ == Format::kOwn && answer != std::string::npos)
    chosen.text_behind_answer_ = probe.answered.substr(answer + kAnswer.size());
  return chosen;
}

ChatTemplate ChatTemplate::select(std::string_view name, std::string_view jinja) {
  return select(name, ModelTemplate{.source = std::string(jinja), .tokens = {}});
}

ChatTemplate ChatTemplate::select(std::string_view name, const ModelTemplate& model) {
  const std::string place = concat("chat_template: ", name);
  if (name == "auto") {
    XKDE_CHECK(!model.source.empty(), ConfigError, place,
               ": expected a model with a chat template, found none; name one of ",
               keys_without_own());
    return of_model(model, place);
  }
  const Key key = key_named(name);
  const FormatRules& rules = rules_of(key.format);
  ChatTemplate chosen;
  chosen.format_ = key.format;
  chosen.end_of_turn_ = rules.end_of_turn;
  chosen.wants_bos_ = rules.wants_bos;
  if (key.system == DefaultSystem::kNone) return chosen;
  chosen.system_text_ = kUsualSystemText;
  // Only a template that writes ChatML says what stands in the place of a system turn.
  const bool may_say = model.source.find(kStart) != std::string::npos;
  if (key.system != DefaultSystem::kModels || !may_say) return chosen;
  try {
    const ChatTemplate own = of_model(model, place);
    if (!own.system_text().empty()) chosen.system_text_ = own.system_text();
  } catch (const ConfigError& error) {
    log::shared_warning(
        concat(error.what(), "; the system text is taken to be \"", kUsualSystemText, "\""));
  }
  return chosen;
}

std::string ChatTemplate::prompt(std::string_view user) const {
  return prompt(std::vector<ChatMessage>{{Role::kUser, std::string(user)}});
}

std::string ChatTemplate::prompt(const std::vector<ChatMessage>& messages) const {
  check_order(messages);
  if (!own_) return rules_of(format_).prompt(messages, system_text_);
  const std::string text = own_->text(messages, /*add_generation_prompt=*/true);
  if (format_ != Format::kLlama2) return text;
  const std::string& bos = own_->token("bos_token");
  return text.substr(text.starts_with(bos) ? bos.size() : 0) + " ";
}

std::string ChatTemplate::finished(const std::vector<ChatMessage>& messages) const {
  XKDE_CHECK(!messages.empty() && messages.back().role == Role::kAssistant, DataError,
             "chat messages: expected a last turn of assistant, found ",
             messages.empty() ? "no turn" : role_name(messages.back().role));
  if (own_) return own_->text(messages, /*add_generation_prompt=*/false);
  const std::string before = prompt({messages.begin(), messages.end() - 1});
  return rules_of(format_).finished(before, messages.back().content);
}

std::string ChatTemplate::source_for(const ModelTemplate& model) const {
  if (own_ || rules_of(format_).source == nullptr) return model.source;
  const std::string written = rules_of(format_).source(system_text_);
  const auto writes = [&](const std::string& jinja, const std::vector<ChatMessage>& messages) {
    ModelTemplate other = model;
    other.source = jinja;
    return OwnTemplate(other, "chat_template").text(messages, /*add_generation_prompt=*/true);
  };
  const ChatMessage system{Role::kSystem, std::string(kSystem)};
  const ChatMessage question{Role::kUser, std::string(kQuestion)};
  const ChatMessage answer{Role::kAssistant, std::string(kAnswer)};
  try {
    for (const std::vector<ChatMessage>& messages :
         {std::vector{question}, std::vector{system, question},
          std::vector{question, answer, question}}) {
      if (writes(model.source, messages) != writes(written, messages)) return written;
    }
  } catch (const Error&) {
    return written;  // the model's own cannot write one of them
  }
  return model.source;
}

WrittenChat ChatTemplate::written(const std::vector<ChatMessage>& messages) const {
  XKDE_CHECK(own_ != nullptr, InternalError,
             "chat template: expected the model's own, found one by name");
  return own_->written(messages);
}

std::vector<WrittenChat::Part> ChatTemplate::places_of_answers(
    const std::vector<ChatMessage>& messages, const std::string& whole) const {
  XKDE_CHECK(own_ != nullptr, InternalError,
             "chat template: expected the model's own, found one by name");
  std::vector<WrittenChat::Part> places;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == Role::kAssistant)
      places.push_back(own_->place_of_answer(messages, i, whole));
  }
  return places;
}

}  // namespace xkde
