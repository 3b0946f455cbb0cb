#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_JSON_VALUE_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_JSON_VALUE_H_

#include "core/io/json_file.h"
#include "core/text/jinja/python/value.h"

namespace xkde::jinja {

/// What Python's json reads: messages, tools and other variables of a template.
Value value_of(const Json& json);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_JSON_VALUE_H_
