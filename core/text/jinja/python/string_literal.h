#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_STRING_LITERAL_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_STRING_LITERAL_H_

#include <optional>
#include <string>
#include <string_view>

namespace xkde::jinja {

/// What stands between the quotes of a string, its escapes resolved as Python's "unicode-escape"
/// does. Nothing where an escape is cut short, is no character, or is one by name (\N{…}).
std::optional<std::string> string_literal(std::string_view quoted);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_STRING_LITERAL_H_
