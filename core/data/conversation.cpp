#include "core/data/conversation.h"

#include <fstream>
#include <utility>

#include "core/base/error.h"
#include "core/data/language.h"
#include "core/io/file.h"

namespace xkde {

namespace {

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

Conversation parse_conversation(const Json& row, const std::string& place) {
  XKDE_CHECK(row.is_object(), DataError, place, ": expected an object, found a value of type ",
             row.type_name());
  Conversation conversation;
  conversation.id = parse_id(row, place);
  conversation.languages = parse_languages(row, conversation.id, place);
  const auto turns = row.find("conversations");
  XKDE_CHECK(turns != row.end() && turns->is_array() && !turns->empty(), DataError, place,
             ": conversations: expected a non-empty array, found ",
             found_text(row, "conversations"));
  for (size_t i = 0; i < turns->size(); ++i) {
    const Json& turn = (*turns)[i];
    const std::string here = concat(place, ": conversations.", i);
    XKDE_CHECK(turn.is_object(), DataError, here, ": expected an object, found a value of type ",
               turn.type_name());
    const bool is_user = required_text(turn, "from", here) == "human";
    XKDE_CHECK(is_user == (i % 2 == 0), DataError, here, ".from: expected ",
               i % 2 == 0 ? "the user" : "an answer",
               " to speak (user and assistant take turns), found \"",
               turn["from"].get_ref<const std::string&>(), "\"");
    conversation.turns.push_back(
        {is_user ? ChatMessage::Role::kUser : ChatMessage::Role::kAssistant,
         required_text(turn, "value", here)});
  }
  XKDE_CHECK(turns->size() % 2 == 0, DataError, place,
             ": conversations: expected an answer as the last turn, found \"",
             turns->back()["from"].get_ref<const std::string&>(), "\"");
  return conversation;
}

Json to_json(const Conversation& conversation) {
  Json turns = Json::array();
  for (const ChatMessage& turn : conversation.turns) {
    turns.push_back({{"from", turn.role == ChatMessage::Role::kUser ? "human" : "gpt"},
                     {"value", turn.content}});
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
