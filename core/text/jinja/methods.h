#ifndef XKDE_CORE_TEXT_JINJA_METHODS_H_
#define XKDE_CORE_TEXT_JINJA_METHODS_H_

#include <string_view>

#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"
#include "core/text/jinja/syntax.h"

namespace xkde::jinja {

using Method = Value (*)(Evaluator& evaluator, const Value& self, const Arguments& arguments);

/// A method of `self`. Null: Python has none of this name. Refuses by name the ones that Python
/// has and this interpreter has not, those that change a list or a dict among them: the sandbox of
/// transformers forbids these.
Method find_method(Context& context, const Value& self, std::string_view name);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_METHODS_H_
