#ifndef XKDE_CORE_TEXT_JINJA_FUNCTIONS_H_
#define XKDE_CORE_TEXT_JINJA_FUNCTIONS_H_

#include <string_view>

#include "core/text/jinja/python/value.h"
#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

using Function = Value (*)(Evaluator& evaluator, const Arguments& arguments);

/// The functions that transformers gives a template: range, dict, namespace, raise_exception and
/// strftime_now. Null: none of this name.
Function find_function(std::string_view name);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_FUNCTIONS_H_
