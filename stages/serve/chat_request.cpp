#include "stages/serve/chat_request.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/data/language.h"
#include "core/text/chat_message.h"

namespace xkde::serve {
namespace {

constexpr size_t kMostStopTexts = 4;
constexpr size_t kMostStopBytes = 256;

/// A value of a request, fit for a line of a message.
std::string shown(const Json& value) {
  constexpr size_t kMostBytes = 80;
  const std::string text = json_text(value);
  return text.size() <= kMostBytes ? text : text.substr(0, kMostBytes) + "…";
}

[[noreturn]] void refuse(const std::string& key, const std::string& expected, const Json& found) {
  throw ApiError(400, "invalid_value",
                 concat(key, ": expected ", expected, ", found ", shown(found)), key);
}

/// Reads the keys of a request one by one.
class ChatParser {
 public:
  ChatParser(const std::string& model_name, const ChatLimits& limits)
      : model_name_(model_name), limits_(limits) {
    request_.options.max_new_tokens = limits.default_new_tokens;
  }

  ChatRequest parse(const Json& body) {
    for (const auto& [key, value] : body.items()) {
      if (!value.is_null()) read(key, value);
    }
    if (request_.model.empty())
      throw ApiError(400, "missing_required_parameter", "model: expected a name, found none",
                     "model");
    if (request_.question.messages.empty())
      throw ApiError(400, "missing_required_parameter", "messages: expected a list, found none",
                     "messages");
    return std::move(request_);
  }

 private:
  using Reader = void (ChatParser::*)(const std::string& key, const Json& value);
  struct Key {
    std::string_view name;
    Reader read;
  };
  static const std::vector<Key>& keys() {
    static const std::vector<Key> kKeys{{"model", &ChatParser::read_model},
                                        {"messages", &ChatParser::read_messages},
                                        {"language", &ChatParser::read_language},
                                        {"stream", &ChatParser::read_stream},
                                        {"stream_options", &ChatParser::read_stream_options},
                                        {"max_tokens", &ChatParser::read_most_tokens},
                                        {"max_completion_tokens", &ChatParser::read_most_tokens},
                                        {"temperature", &ChatParser::read_temperature},
                                        {"top_p", &ChatParser::read_top_p},
                                        {"seed", &ChatParser::read_seed},
                                        {"stop", &ChatParser::read_stop}};
    return kKeys;
  }
  /// Keys of OpenAI's that ask for nothing at this value; any other value is refused.
  static const Json& neutral_values() {
    static const Json kNeutral{{"n", 1},
                               {"presence_penalty", 0},
                               {"frequency_penalty", 0},
                               {"logprobs", false},
                               {"logit_bias", Json::object()},
                               {"tools", Json::array()},
                               {"tool_choice", "none"},
                               {"response_format", {{"type", "text"}}}};
    return kNeutral;
  }
  /// Keys that change no answer.
  static bool is_idle(std::string_view key) {
    constexpr std::string_view kIdle[] = {"user", "metadata", "store", "service_tier",
                                          "safety_identifier"};
    return std::find(std::begin(kIdle), std::end(kIdle), key) != std::end(kIdle);
  }

  void read(const std::string& key, const Json& value) {
    for (const Key& known : keys()) {
      if (known.name == key) return (this->*known.read)(key, value);
    }
    const Json& neutral = neutral_values();
    if (is_idle(key) || (neutral.contains(key) && neutral[key] == value)) return;
    throw ApiError(400, "unsupported_parameter",
                   concat(key, ": this server does not have it",
                          neutral.contains(key) ? " but as " + neutral[key].dump() : ""),
                   key);
  }

  void read_model(const std::string& key, const Json& value) {
    if (!value.is_string()) refuse(key, "a text", value);
    request_.model = value.get<std::string>();
    request_.question.with_facts = request_.model == concat(model_name_, kWithEdits);
    if (request_.question.with_facts || request_.model == model_name_) return;
    throw ApiError(404, "model_not_found",
                   concat("model: expected ", model_name_, " or ", model_name_, kWithEdits,
                          ", found ", shown(value)),
                   key);
  }

  void read_messages(const std::string& key, const Json& value) {
    if (!value.is_array() || value.empty()) refuse(key, "a list of messages", value);
    if (value.size() > limits_.messages) {
      throw ApiError(
          413, "request_too_large",
          concat("messages: expected at most ", limits_.messages, ", found ", value.size()), key);
    }
    size_t bytes = 0;
    for (size_t i = 0; i < value.size(); ++i) {
      request_.question.messages.push_back(message(concat(key, "[", i, "]"), value[i]));
      bytes += request_.question.messages.back().content.size();
    }
    if (bytes > limits_.message_bytes) {
      throw ApiError(413, "request_too_large",
                     concat("messages: expected at most ", limits_.message_bytes,
                            " bytes of text, found ", bytes),
                     key);
    }
    const ChatMessage& last = request_.question.messages.back();
    if (last.role != ChatMessage::Role::kUser)
      refuse(key, "a user's message at the end", value.back());
  }

  static ChatMessage message(const std::string& place, const Json& value) {
    if (!value.is_object()) refuse(place, "an object {role, content}", value);
    ChatMessage message;
    std::string role = text_at(value, "role");
    if (role == "developer") role = "system";  // as OpenAI calls it now
    const std::optional<ChatMessage::Role> known = value_of(kRoleNames, role);
    if (!known) refuse(place + ".role", "system, user or assistant", value["role"]);
    message.role = *known;
    if (!value.contains("content")) refuse(place, "an object {role, content}", value);
    message.content = content(place + ".content", value["content"]);
    return message;
  }

  /// A text, or a list of parts of text.
  static std::string content(const std::string& place, const Json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (!value.is_array()) refuse(place, "a text", value);
    std::string text;
    for (const Json& part : value) {
      if (!part.is_object() || text_at(part, "type") != "text")
        refuse(place, "parts of text", part);
      text += text_at(part, "text");
    }
    return text;
  }

  void read_language(const std::string& key, const Json& value) {
    if (!value.is_string()) refuse(key, "the code of a language", value);
    request_.question.language = find_language(value.get<std::string>());
    if (request_.question.language == nullptr) refuse(key, "the code of a known language", value);
  }

  void read_stream(const std::string& key, const Json& value) {
    if (!value.is_boolean()) refuse(key, "true or false", value);
    request_.is_streamed = value.get<bool>();
  }

  void read_stream_options(const std::string& key, const Json& value) {
    if (!value.is_object()) refuse(key, "an object", value);
    for (const auto& [name, option] : value.items()) {
      if (name == "include_obfuscation") continue;
      if (name != "include_usage" || !option.is_boolean())
        refuse(key, "{include_usage: true or false}", value);
      request_.includes_usage = option.get<bool>();
    }
  }

  void read_most_tokens(const std::string& key, const Json& value) {
    const bool fits = value.is_number_integer() && value >= 1 && value <= limits_.new_tokens;
    if (!fits) refuse(key, concat("a whole number from 1 to ", limits_.new_tokens), value);
    request_.options.max_new_tokens = value.get<int64_t>();
  }

  void read_temperature(const std::string& key, const Json& value) {
    if (!value.is_number() || value < 0 || value > 2) refuse(key, "a number from 0 to 2", value);
    request_.options.sampling.temperature = value.get<double>();
  }

  void read_top_p(const std::string& key, const Json& value) {
    if (!value.is_number() || value <= 0 || value > 1)
      refuse(key, "a number above 0, at most 1", value);
    request_.options.sampling.top_p = value.get<double>();
  }

  void read_seed(const std::string& key, const Json& value) {
    if (!value.is_number_integer()) refuse(key, "a whole number", value);
    request_.options.seed = value.is_number_unsigned()
                                ? value.get<uint64_t>()
                                : static_cast<uint64_t>(value.get<int64_t>());
  }

  void read_stop(const std::string& key, const Json& value) {
    const Json list = value.is_array() ? value : Json::array({value});
    if (list.size() > kMostStopTexts)
      refuse(key, concat("at most ", kMostStopTexts, " texts"), value);
    for (const Json& text : list) {
      if (!text.is_string() || text.get_ref<const std::string&>().empty() ||
          text.get_ref<const std::string&>().size() > kMostStopBytes)
        refuse(key, concat("texts of 1 to ", kMostStopBytes, " bytes"), text);
      request_.options.stop_texts.push_back(text.get<std::string>());
    }
  }

  const std::string& model_name_;
  const ChatLimits& limits_;
  ChatRequest request_;
};

}  // namespace

Json parse_body(std::string_view body) {
  Json json;
  try {
    json = parse_json(body, "body");
  } catch (const DataError& error) {
    throw ApiError(400, "invalid_json", error.what());
  }
  if (!json.is_object())
    throw ApiError(400, "invalid_json", concat("body: expected an object, found ", shown(json)));
  return json;
}

std::string text_at(const Json& object, const char* key, const char* fallback) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    if (fallback != nullptr) return fallback;
    throw ApiError(400, "missing_required_parameter", concat(key, ": expected a text, found none"),
                   key);
  }
  if (!found->is_string()) refuse(key, "a text", *found);
  return found->get<std::string>();
}

ChatRequest parse_chat_request(std::string_view body, const std::string& model_name,
                               const ChatLimits& limits) {
  return ChatParser(model_name, limits).parse(parse_body(body));
}

}  // namespace xkde::serve
