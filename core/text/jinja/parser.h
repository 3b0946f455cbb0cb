#ifndef XKDE_CORE_TEXT_JINJA_PARSER_H_
#define XKDE_CORE_TEXT_JINJA_PARSER_H_

#include <string>
#include <string_view>

#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

/// The tree of a template. Throws ConfigError "NAME: line 3: expected …, found …" for what is not
/// Jinja and for statements that chat templates cannot use (`include`, `block`, …).
Syntax parse(std::string_view source, const std::string& name);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PARSER_H_
