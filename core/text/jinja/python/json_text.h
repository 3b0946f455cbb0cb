#ifndef XKDE_CORE_TEXT_JINJA_PYTHON_JSON_TEXT_H_
#define XKDE_CORE_TEXT_JINJA_PYTHON_JSON_TEXT_H_

#include <optional>
#include <string>

#include "core/text/jinja/python/context.h"
#include "core/text/jinja/python/value.h"

namespace xkde::jinja {

/// How json.dumps writes, with the defaults of transformers' filter "tojson".
struct JsonStyle {
  bool is_ascii = false;
  bool sorts_keys = false;
  std::optional<std::string> indent;  ///< of one level; nothing: all on one line
  std::string between = ", ";         ///< items; "," where there is an indent
  std::string behind_key = ": ";
};

/// Refuses values that JSON does not know.
std::string json_text(Context& context, const Value& value, const JsonStyle& style);

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_PYTHON_JSON_TEXT_H_
