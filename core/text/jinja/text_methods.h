#ifndef XKDE_CORE_TEXT_JINJA_TEXT_METHODS_H_
#define XKDE_CORE_TEXT_JINJA_TEXT_METHODS_H_

#include <string_view>

#include "core/text/jinja/methods.h"

namespace xkde::jinja {

/// A method of a text, as Python's str has it. Null: none of this name here.
Method find_text_method(std::string_view name);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_TEXT_METHODS_H_
