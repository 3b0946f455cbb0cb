#ifndef XKDE_CORE_TEXT_CHAT_IDS_H_
#define XKDE_CORE_TEXT_CHAT_IDS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The token that ends an answer: that of the format; of a model's own template the first special
/// token behind an answer; the tokenizer's EOS where a format has none. Nothing: not in the
/// vocabulary.
std::optional<int64_t> end_of_turn_id(const Tokenizer& tokenizer,
                                      const ChatTemplate& chat_template);

/// What stands before the ids of a prompt: BOS where the format leaves it to the tokenizer, else
/// nothing. Throws ConfigError where that has none.
std::optional<int64_t> bos_before(const Tokenizer& tokenizer, const ChatTemplate& chat_template);

/// How many of `ids`, which are those of `text`, stand before `offset`. A token across it counts
/// with `covers`. `offset` is between two characters.
size_t ids_before(const Tokenizer& tokenizer, const std::vector<int64_t>& ids,
                  std::string_view text, size_t offset, bool covers);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_CHAT_IDS_H_
