#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_PYTHON_TEXT_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_PYTHON_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What Python's `str` does, on well-formed UTF-8.
namespace xkde::jinja::python {

bool is_space(char32_t character);  ///< str.isspace: White_Space and U+001C to U+001F

/// Without white space at an end.
std::string_view strip_left(std::string_view text);
std::string_view strip_right(std::string_view text);
/// Without the characters of `set` at an end.
std::string_view strip_left(std::string_view text, std::string_view set);
std::string_view strip_right(std::string_view text, std::string_view set);

bool is_ascii(std::string_view text);
/// The offset of the character number `index` (at least 0), or the text's size.
size_t offset_of(std::string_view text, int64_t index);

/// Nothing where the text has a letter whose other case is not known here: capital letters outside
/// of ASCII, and capital sigma, whose small form depends on its place.
std::optional<std::string> upper(std::string_view text);
std::optional<std::string> lower(std::string_view text);

/// The shortest digits that read back as the same number: "1.0", "1e-07", "inf".
std::string repr(double value);
/// In quotes, with escapes.
std::string repr(std::string_view text);

}  // namespace xkde::jinja::python

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_PYTHON_TEXT_H_
