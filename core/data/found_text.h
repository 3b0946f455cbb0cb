#ifndef XKDE_CORE_DATA_FOUND_TEXT_H_
#define XKDE_CORE_DATA_FOUND_TEXT_H_

#include <string>

#include "core/base/error.h"
#include "core/io/json_file.h"

namespace xkde {

inline bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

/// What stands where a benchmark's file should have something else, for messages; null: nothing.
inline std::string found_text(const Json* value) {
  if (value == nullptr) return "nothing";
  if (value->is_null()) return "null";
  if (value->is_string()) {
    const auto& text = value->get_ref<const std::string&>();
    if (text.empty()) return "\"\"";
    return is_blank(text) ? "only blanks" : "a text";
  }
  return concat("a value of type ", value->type_name());
}

}  // namespace xkde

#endif  // XKDE_CORE_DATA_FOUND_TEXT_H_
