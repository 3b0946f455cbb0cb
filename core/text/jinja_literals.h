#ifndef XKDE_CORE_TEXT_JINJA_LITERALS_H_
#define XKDE_CORE_TEXT_JINJA_LITERALS_H_

#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// The string literals of a Jinja template's expressions and statements in order, escapes resolved
/// and line breaks written as \n. Comments and text outside of braces are left out.
std::vector<std::string> jinja_literals(std::string_view jinja);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_JINJA_LITERALS_H_
