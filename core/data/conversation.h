#ifndef XKDE_CORE_DATA_CONVERSATION_H_
#define XKDE_CORE_DATA_CONVERSATION_H_

#include <filesystem>
#include <string>
#include <vector>

#include "core/text/chat_template.h"

namespace xkde {

/// One row of an XE-IT / LTE training file (protocol 1.5): user and assistant take turns, the last
/// turn is an assistant's.
struct Conversation {
  std::string id;
  std::vector<ChatMessage> turns;
};

/// Reads [{"id", "conversations": [{"from", "value"}, ...]}, ...]; "human" speaks as the user,
/// anyone else as the assistant; other keys are passed over. Throws MissingInputError, or DataError
/// "file: row 3: conversations.1.value: expected a non-empty string, found null".
std::vector<Conversation> read_conversations(const std::filesystem::path& path);

/// Writes such a file, one row a line. Throws IoError.
void write_conversations(const std::filesystem::path& path,
                         const std::vector<Conversation>& conversations);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_CONVERSATION_H_
