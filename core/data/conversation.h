#ifndef XKDE_CORE_DATA_CONVERSATION_H_
#define XKDE_CORE_DATA_CONVERSATION_H_

#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "core/text/chat_template.h"

namespace xkde {

/// The languages of a training row, by ISO or file code. Both are empty when nothing tells them.
struct RowLanguages {
  std::string edit;
  std::string test;
  bool operator==(const RowLanguages&) const = default;
};

/// The languages that an id of the published form "identity_{n}_{source}_{s}{t}_{...}" tells.
RowLanguages languages_in_id(std::string_view id);

/// The fields "edit_language" and "test_language" of a row, or what its id tells where the row has
/// neither; `place` begins messages. Throws DataError for another value than a known language's
/// code, and for one field without the other.
RowLanguages parse_languages(const Json& row, std::string_view id, const std::string& place);

/// One row of an XE-IT / LTE training file (protocol 1.5): maybe a system turn, then user and
/// assistant take turns, the last turn is an assistant's.
struct Conversation {
  std::string id;
  std::vector<ChatMessage> turns;
  RowLanguages languages = {};
};

/// Reads [{"id", "conversations": [{"from", "value"}, ...]}, ...]; "human" speaks as the user, a
/// first "system" as such, anyone else as the assistant, save for tools. Or, as OpenAI has them,
/// [{"messages": [{"role", "content"}, ...]}, ...] of "system", "user" and "assistant". "system",
/// "edit_language" and "test_language" (parse_languages) may stand beside the turns. Any other key
/// is an error. Throws MissingInputError, or DataError "file: row 3: conversations.1.value:
/// expected a non-empty string, found null".
std::vector<Conversation> read_conversations(const std::filesystem::path& path);

/// Turns as OpenAI has them, [{"role", "content"}, ...], in any order; another role than "system",
/// "user" and "assistant", and another key, are errors. Throws DataError that begins with `place`.
std::vector<ChatMessage> parse_messages(const Json& messages, const std::string& place);
/// Throws DataError where an object has another key than those.
void expect_keys(const Json& object, std::initializer_list<std::string_view> known,
                 const std::string& place);

/// Writes such a file, one row a line; its content is durable afterwards. Throws IoError.
void write_conversations(const std::filesystem::path& path,
                         const std::vector<Conversation>& conversations);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_CONVERSATION_H_
