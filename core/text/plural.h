#ifndef XKDE_CORE_TEXT_PLURAL_H_
#define XKDE_CORE_TEXT_PLURAL_H_

#include <concepts>
#include <string>
#include <string_view>

namespace xkde {

/// What stands behind a count: "stage" behind 1, "stages" behind any other. Of words that take an
/// s.
std::string plural(std::string_view unit, std::integral auto count) {
  return std::string(unit) + (count == 1 ? "" : "s");
}

/// "1 stage", "2 stages".
std::string count_of(std::integral auto count, std::string_view unit) {
  return std::to_string(count) + " " + plural(unit, count);
}

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_PLURAL_H_
