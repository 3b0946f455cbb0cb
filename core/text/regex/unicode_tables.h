#ifndef XKDE_CORE_TEXT_REGEX_UNICODE_TABLES_H_
#define XKDE_CORE_TEXT_REGEX_UNICODE_TABLES_H_

#include <span>

/// Written by tests/golden/make_unicode_tables.py from the Unicode Character Database (Unicode
/// License v3). Rows are in the order of their characters.
namespace xkde::unicode {

/// Characters [first, last] whose category is another in Unicode 16 than in Unicode 14, mostly
/// because they are new, and one that had their category already, with as many bytes in UTF-8 and,
/// of letters and where there is one, of the same script.
struct Addition {
  char32_t first, last, stand_in;
};
std::span<const Addition> additions();

/// Characters [first, last] of the categories Nd, Nl and No in Unicode 17.
struct Range {
  char32_t first, last;
};
std::span<const Range> numerals();

}  // namespace xkde::unicode

#endif  // XKDE_CORE_TEXT_REGEX_UNICODE_TABLES_H_
