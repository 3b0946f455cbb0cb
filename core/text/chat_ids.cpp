#include "core/text/chat_ids.h"

#include <algorithm>
#include <span>

#include "core/base/error.h"

namespace xkde {
namespace {

/// A special token leaves no text where special tokens are left out.
bool is_special(const Tokenizer& tokenizer, int64_t id) {
  const std::span<const int64_t> one(&id, 1);
  return tokenizer.decode(one, /*skip_special_tokens=*/true).empty() &&
         !tokenizer.decode(one, /*skip_special_tokens=*/false).empty();
}

}  // namespace

std::optional<int64_t> end_of_turn_id(const Tokenizer& tokenizer,
                                      const ChatTemplate& chat_template) {
  if (!chat_template.end_of_turn().empty())
    return tokenizer.token_to_id(chat_template.end_of_turn());
  for (const int64_t id : tokenizer.encode(chat_template.text_behind_answer())) {
    if (is_special(tokenizer, id)) return id;
  }
  return tokenizer.eos_id();
}

std::optional<int64_t> bos_before(const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  if (!chat_template.wants_bos()) return std::nullopt;
  XKDE_CHECK(tokenizer.bos_id(), ConfigError,
             "chat_template: expected a tokenizer with a BOS token, found none");
  return tokenizer.bos_id();
}

size_t ids_before(const Tokenizer& tokenizer, const std::vector<int64_t>& ids,
                  std::string_view text, size_t offset, bool covers) {
  if (offset >= text.size()) return ids.size();
  const std::vector<int64_t> prefix = tokenizer.encode(text.substr(0, offset));
  const auto differs = std::mismatch(prefix.begin(), prefix.end(), ids.begin(), ids.end());
  const auto equal = static_cast<size_t>(differs.first - prefix.begin());
  return equal < prefix.size() && covers ? std::min(equal + 1, ids.size()) : equal;
}

}  // namespace xkde
