#ifndef XKDE_CORE_TEXT_REGEX_UNICODE_H_
#define XKDE_CORE_TEXT_REGEX_UNICODE_H_

#include <cstddef>
#include <string>
#include <string_view>

/// UTF-8 and the character classes of the Hugging Face `tokenizers` library.
namespace xkde::unicode {

/// Offset of the first byte that is not part of well-formed UTF-8 (no surrogates, no overlong
/// forms, at most U+10FFFF), or std::string_view::npos.
size_t first_invalid_byte(std::string_view text);

/// The character at `position` of well-formed UTF-8; moves `position` behind it.
char32_t next(std::string_view text, size_t& position);

/// Number of characters of well-formed UTF-8.
size_t length(std::string_view text);

void append(std::string& text, char32_t character);

/// `bytes` with every maximal ill-formed part replaced by U+FFFD (Unicode 15, section 3.9, as Rust
/// and WHATWG).
std::string replace_ill_formed(std::string_view bytes);

bool is_whitespace(char32_t character);  ///< White_Space
bool is_numeric(char32_t character);     ///< categories Nd, Nl, No (Unicode 17)
bool is_punctuation(
    char32_t character);  ///< ASCII punctuation (symbols included) or category P (Unicode 8)
bool is_word(char32_t character);  ///< \w of UTS 18: Alphabetic, M, Nd, Pc, Join_Control
bool is_mark(char32_t character);  ///< categories Mn, Mc, Me (Unicode 9)
/// Well-formed UTF-8 with every character that came after Unicode 14, up to 16, replaced by an
/// older one of its category with as many bytes: what patterns see, whose engine may be older than
/// the library's.
std::string with_stand_ins(std::string_view text);
/// Whether there is such a character.
bool has_additions(std::string_view text);
/// Normalization form C of well-formed UTF-8: one spelling of each accented letter. Throws
/// DataError where the text is not well-formed.
std::string nfc(std::string_view text);
std::string nfkc(
    std::string_view text);  ///< as nfc, compatible spellings made one (full width, ligatures)
std::string nfkd(std::string_view text);  ///< the same, accents apart from their letters
void append_lowercase(std::string& text, char32_t character);  ///< full mapping, free of context

/// `text` without white space at its ends. strip_left() keeps what is at the end, unless there is
/// nothing else.
std::string_view strip(std::string_view text);
std::string_view strip_left(std::string_view text);

}  // namespace xkde::unicode

#endif  // XKDE_CORE_TEXT_REGEX_UNICODE_H_
