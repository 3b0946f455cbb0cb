#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_PRINTF_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_PRINTF_H_

#include <string>
#include <string_view>

#include "core/text/jinja/python/arguments.h"
#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"

namespace xkde::jinja {

/// Python's `format % values`: %s, %r, %d, %i, %f and %% with flags, width and precision; values
/// are a tuple, or one value. Refuses other conversions by name, and too few or too many values.
std::string formatted(Context& context, std::string_view format, const Value& values);

/// Python's format.format(…): {}, {0} and {name}, and {{ and }}. Refuses conversions, format
/// specifications and attributes.
std::string filled(Context& context, std::string_view format, const Arguments& arguments);

/// `text` with `fill` around it up to `width` characters; `side`: '<' text first, '>' text last,
/// '^' in the middle, as str.center.
std::string justified(Context& context, std::string_view text, int64_t width, char side,
                      std::string_view fill = " ");

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_PRINTF_H_
