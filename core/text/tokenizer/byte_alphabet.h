#ifndef XKDE_CORE_TEXT_TOKENIZER_BYTE_ALPHABET_H_
#define XKDE_CORE_TEXT_TOKENIZER_BYTE_ALPHABET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// GPT-2's spelling of bytes as printable characters: those that print in Latin-1 stand for
/// themselves, the others for U+0100 and on, in order. Source:
/// https://github.com/openai/gpt-2/blob/master/src/encoder.py (bytes_to_unicode)
namespace xkde::byte_alphabet {

std::string spell(std::string_view bytes);
/// The bytes, or none when a character is not of the alphabet. `text` must be well-formed UTF-8.
std::optional<std::string> unspell(std::string_view text);

}  // namespace xkde::byte_alphabet

#endif  // XKDE_CORE_TEXT_TOKENIZER_BYTE_ALPHABET_H_
