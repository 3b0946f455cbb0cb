#include "core/data/conversation.h"

#include <algorithm>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/data/language.h"
#include "core/io/file.h"

namespace xkde {

namespace {

using Role = ChatMessage::Role;

std::string found_text(const Json& object, const char* key) {
  const auto it = object.find(key);
  if (it == object.end()) return "nothing";
  if (it->is_null()) return "null";
  return it->is_string() ? "\"\"" : concat("a value of type ", it->type_name());
}

const std::string& required_text(const Json& object, const char* key, const std::string& place) {
  const auto it = object.find(key);
  const bool is_text =
      it != object.end() && it->is_string() && !it->get_ref<const std::string&>().empty();
  XKDE_CHECK(is_text, DataError, place, ".", key, ": expected a non-empty string, found ",
             found_text(object, key));
  return it->get_ref<const std::string&>();
}

std::string parse_id(const Json& row, const std::string& place) {
  const auto it = row.find("id");
  if (it == row.end() || it->is_null()) return {};
  XKDE_CHECK(it->is_string() || it->is_number_integer(), DataError, place,
             ": id: expected a string, found ", found_text(row, "id"));
  return it->is_string() ? it->get<std::string>() : it->dump();
}

std::string parse_language(const Json& row, const char* key, const std::string& place) {
  const std::string& code = required_text(row, key, place);
  XKDE_CHECK(find_language(code) != nullptr, DataError, place, ".", key,
             ": expected a language code, found \"", code, "\"");
  return code;
}

/// A layout of rows: where its turns are, and what says who speaks.
struct Layout {
  const char* turns;
  const char* speaker;
  const char* text;
  std::string_view user, answer;  ///< who speaks, for messages
};
constexpr Layout kShareGpt{"conversations", "from", "value", "human", "gpt"};
constexpr Layout kOpenAi{"messages", "role", "content", "user", "assistant"};

/// Nothing: the speaker is none of these. ShareGPT's files call the assistant by many names.
std::optional<Role> role_of(const Layout& layout, std::string_view speaker) {
  constexpr std::string_view kOthers[] = {
      "user", "function", "function_call", "function_response", "observation", "tool"};
  if (speaker == "system") return Role::kSystem;
  if (speaker == layout.user) return Role::kUser;
  if (speaker == layout.answer) return Role::kAssistant;
  const bool is_other =
      std::find(std::begin(kOthers), std::end(kOthers), speaker) != std::end(kOthers);
  if (&layout == &kOpenAi || is_other) return std::nullopt;
  return Role::kAssistant;
}

std::vector<ChatMessage> parse_turns(const Json& turns, const Layout& layout,
                                     const std::string& place) {
  std::vector<ChatMessage> all;
  size_t systems = 0;
  for (size_t i = 0; i < turns.size(); ++i) {
    const Json& turn = turns[i];
    const std::string here = concat(place, ": ", layout.turns, ".", i);
    XKDE_CHECK(turn.is_object(), DataError, here, ": expected an object, found a value of type ",
               turn.type_name());
    expect_keys(turn, {layout.speaker, layout.text}, here);
    const std::string& speaker = required_text(turn, layout.speaker, here);
    const std::optional<Role> role = role_of(layout, speaker);
    const bool is_users = (i - systems) % 2 == 0;
    const bool fits =
        role == Role::kSystem ? i == 0 : role == (is_users ? Role::kUser : Role::kAssistant);
    XKDE_CHECK(fits, DataError, here, ".", layout.speaker, ": expected ",
               is_users ? concat("\"", layout.user, "\"") : concat("\"", layout.answer, "\""),
               " to speak (\"", layout.user, "\" and \"", layout.answer,
               "\" take turns, \"system\" may be the first), found \"", speaker, "\"");
    systems += role == Role::kSystem ? 1 : 0;
    all.push_back({*role, required_text(turn, layout.text, here)});
  }
  XKDE_CHECK(all.back().role == Role::kAssistant, DataError, place, ": ", layout.turns,
             ": expected an answer as the last turn, found \"",
             turns.back()[layout.speaker].get_ref<const std::string&>(), "\"");
  return all;
}

/// The system text beside the turns, as LLaMA-Factory's rows have it; empty: none.
std::string parse_system(const Json& row, const std::string& place) {
  const auto system = row.find("system");
  if (system == row.end() || system->is_null()) return "";
  XKDE_CHECK(system->is_string(), DataError, place, ".system: expected a text, found ",
             found_text(row, "system"));
  return system->get<std::string>();
}

Conversation parse_conversation(const Json& row, const std::string& place) {
  XKDE_CHECK(row.is_object(), DataError, place, ": expected an object, found a value of type ",
             row.type_name());
  const Layout& layout = row.contains(kOpenAi.turns) ? kOpenAi : kShareGpt;
  expect_keys(row, {"id", layout.turns, "system", "edit_language", "test_language"}, place);
  Conversation conversation;
  conversation.id = parse_id(row, place);
  conversation.languages = parse_languages(row, conversation.id, place);
  const auto turns = row.find(layout.turns);
  XKDE_CHECK(turns != row.end() && turns->is_array() && !turns->empty(), DataError, place, ": ",
             layout.turns, ": expected a non-empty array, found ", found_text(row, layout.turns));
  conversation.turns = parse_turns(*turns, layout, place);
  const std::string system = parse_system(row, place);
  if (system.empty()) return conversation;
  XKDE_CHECK(conversation.turns.front().role != Role::kSystem, DataError, place,
             ".system: expected one system text, found another in the first turn");
  conversation.turns.insert(conversation.turns.begin(), {Role::kSystem, system});
  return conversation;
}

std::string_view speaker_of(Role role) {
  return role == Role::kSystem ? "system" : role == Role::kUser ? "human" : "gpt";
}

Json to_json(const Conversation& conversation) {
  Json turns = Json::array();
  for (const ChatMessage& turn : conversation.turns) {
    turns.push_back({{"from", speaker_of(turn.role)}, {"value", turn.content}});
  }
  Json row{{"id", conversation.id}};
  if (conversation.languages != RowLanguages{}) {
    row["edit_language"] = conversation.languages.edit;
    row["test_language"] = conversation.languages.test;
  }
  row["conversations"] = std::move(turns);
  return row;
}

}  // namespace

/// A key that means something that is not known here is never passed over.
void expect_keys(const Json& object, std::initializer_list<std::string_view> known,
                 const std::string& place) {
  std::string names;
  for (const std::string_view name : known) names += concat(names.empty() ? "" : ", ", name);
  for (const auto& [key, value] : object.items()) {
    XKDE_CHECK(std::find(known.begin(), known.end(), key) != known.end(), DataError, place,
               ": expected the keys ", names, ", found \"", key, "\"");
  }
}

std::vector<ChatMessage> parse_messages(const Json& messages, const std::string& place) {
  XKDE_CHECK(
      messages.is_array() && !messages.empty(), DataError, place,
      ": expected a non-empty array of messages, found ",
      messages.is_array() ? "an empty one" : concat("a value of type ", messages.type_name()));
  std::vector<ChatMessage> all;
  for (size_t i = 0; i < messages.size(); ++i) {
    const std::string here = concat(place, ".", i);
    XKDE_CHECK(messages[i].is_object(), DataError, here,
               ": expected an object, found a value of type ", messages[i].type_name());
    expect_keys(messages[i], {kOpenAi.speaker, kOpenAi.text}, here);
    const std::string& speaker = required_text(messages[i], kOpenAi.speaker, here);
    const std::optional<Role> role = role_of(kOpenAi, speaker);
    XKDE_CHECK(role, DataError, here, ".role: expected system, user or assistant, found \"",
               speaker, "\"");
    all.push_back({*role, required_text(messages[i], kOpenAi.text, here)});
  }
  return all;
}

RowLanguages languages_in_id(std::string_view id) {
  for (size_t end = id.rfind('_'); end != std::string_view::npos && end > 0;) {
    const size_t begin = id.rfind('_', end - 1);
    if (begin == std::string_view::npos) break;
    const std::string_view codes = id.substr(begin + 1, end - begin - 1);
    if (const auto pair = language_pair(codes))
      return {std::string(pair->first), std::string(pair->second)};
    end = begin;
  }
  return {};
}

RowLanguages parse_languages(const Json& row, std::string_view id, const std::string& place) {
  if (!row.contains("edit_language") && !row.contains("test_language")) return languages_in_id(id);
  return {parse_language(row, "edit_language", place), parse_language(row, "test_language", place)};
}

std::vector<Conversation> read_conversations(const std::filesystem::path& path) {
  const Json json = read_json_file(path);
  XKDE_CHECK(json.is_array() && !json.empty(), DataError, path.string(),
             ": expected a non-empty array of conversations, found ",
             json.is_array() ? "an empty one" : concat("a value of type ", json.type_name()));
  std::vector<Conversation> conversations;
  for (size_t i = 0; i < json.size(); ++i) {
    conversations.push_back(parse_conversation(json[i], concat(path.string(), ": row ", i)));
  }
  return conversations;
}

void write_conversations(const std::filesystem::path& path,
                         const std::vector<Conversation>& conversations) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  XKDE_CHECK(file.is_open(), IoError, path.string(), ": cannot be opened for writing");
  file << "[";
  for (size_t i = 0; i < conversations.size(); ++i)
    file << (i == 0 ? "\n" : ",\n") << to_json(conversations[i]).dump();
  file << "\n]\n";
  file.close();
  XKDE_CHECK(!file.fail(), IoError, path.string(), ": writing failed (is the disk full?)");
  sync_path(path);
}

}  // namespace xkde
