#ifndef XKDE_CORE_TEXT_CHAT_MESSAGE_H_
#define XKDE_CORE_TEXT_CHAT_MESSAGE_H_

#include <string>
#include <string_view>

#include "core/base/named.h"

namespace xkde {

struct ChatMessage {
  enum class Role { kSystem, kUser, kAssistant };
  Role role = Role::kUser;
  std::string content;
};

/// As templates and OpenAI's rows call them.
inline constexpr Named<ChatMessage::Role> kRoleNames[] = {
    {"system", ChatMessage::Role::kSystem},
    {"user", ChatMessage::Role::kUser},
    {"assistant", ChatMessage::Role::kAssistant}};

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_CHAT_MESSAGE_H_
