#ifndef XKDE_CORE_EDIT_TOKEN_PLACE_H_
#define XKDE_CORE_EDIT_TOKEN_PLACE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The index in `ids` of the token that holds the last byte of `text` before byte `end`. Where a
/// character is spread over several tokens, it is the one that completes it. `ids` are those of
/// `text` (Tokenizer::encode), behind what the tokenizer puts before a text or without it; more ids
/// may follow. Where the tokenizer changes the text (NFC, a blank in front), bytes are counted in
/// what it makes of it. Costs what encoding the text costs. Throws
/// DataError:
/// - `end` is 0, behind the text or inside a character,
/// - `ids` are others,
/// - the tokenizer makes one character of those around `end` (e and an accent),
/// - its tokens are neither spelled bytes (GPT-2), nor pieces with "▁" and "<0x0A>"
///   (SentencePiece), nor the text itself.
int64_t last_token_of(const Tokenizer& tokenizer, std::string_view text, size_t end,
                      std::span<const int64_t> ids);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_TOKEN_PLACE_H_
