#ifndef XKDE_CORE_METRICS_WIDE_TEXT_H_
#define XKDE_CORE_METRICS_WIDE_TEXT_H_

#include <string>
#include <string_view>

#include <unicode/uchar.h>

#include "core/text/regex/unicode.h"

/// Text as characters, and the classes of Python's `re`.
namespace xkde::wide {

inline std::u32string from_utf8(std::string_view text) {
  std::u32string wide;
  for (size_t at = 0; at < text.size();) wide.push_back(unicode::next(text, at));
  return wide;
}

inline std::string to_utf8(std::u32string_view wide) {
  std::string text;
  for (const char32_t c : wide) unicode::append(text, c);
  return text;
}

inline uint32_t category_mask(char32_t c) { return U_GET_GC_MASK(static_cast<UChar32>(c)); }

/// \s: also the separators of ASCII.
inline bool is_space(char32_t c) {
  return (c >= 0x1c && c <= 0x1f) || u_isUWhiteSpace(static_cast<UChar32>(c)) != 0;
}
inline bool is_digit(char32_t c) { return (category_mask(c) & U_GC_ND_MASK) != 0; }  ///< \d
inline bool is_word(char32_t c) {                                                    ///< \w
  return c == U'_' || (category_mask(c) & (U_GC_L_MASK | U_GC_N_MASK)) != 0;
}

inline bool is_one_of(char32_t c, std::u32string_view set) {
  return set.find(c) != std::u32string_view::npos;
}

}  // namespace xkde::wide

#endif  // XKDE_CORE_METRICS_WIDE_TEXT_H_
