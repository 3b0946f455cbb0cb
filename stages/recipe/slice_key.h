#ifndef XKDE_STAGES_RECIPE_SLICE_KEY_H_
#define XKDE_STAGES_RECIPE_SLICE_KEY_H_

#include <string>
#include <string_view>

#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

inline bool is_slice_bound(std::string_view text) {
  constexpr size_t kMostDigits = 18;
  if (text.empty()) return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= kMostDigits &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// What Slice::parse accepts, and "".
inline constexpr Condition<std::string> kSlice{
    "a slice \"begin:end\" as in Python",
    [](const std::string& text) {
      if (text.empty()) return true;
      const size_t colon = text.find(':');
      return colon != std::string::npos &&
             is_slice_bound(std::string_view(text).substr(0, colon)) &&
             is_slice_bound(std::string_view(text).substr(colon + 1));
    },
    "^(-?[0-9]{0,18}:-?[0-9]{0,18})?$"};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_SLICE_KEY_H_
