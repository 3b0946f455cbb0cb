#ifndef XKDE_CORE_BASE_NAMED_H_
#define XKDE_CORE_BASE_NAMED_H_

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/base/error.h"

namespace xkde {

/// The name by which recipes, files and messages know one value of an enum. The table of an enum
/// stands beside it and is the only list of its values:
///
///     enum class Recompute { kNone, kBlock };
///     inline constexpr Named<Recompute> kRecomputeNames[] = {{"none", Recompute::kNone},
///                                                            {"block", Recompute::kBlock}};
template <typename Enum>
struct Named {
  std::string_view name;
  Enum value;
};

/// The name of `value`. Throws InternalError when the table lacks it.
template <typename Enum, size_t N>
constexpr std::string_view name_of(const Named<Enum> (&table)[N], Enum value) {
  for (const Named<Enum>& entry : table) {
    if (entry.value == value) return entry.name;
  }
  throw InternalError(concat("enum value ", static_cast<int>(value), " has no name"));
}

/// The value called `name`; nothing when the table has no such name.
template <typename Enum, size_t N>
constexpr std::optional<Enum> value_of(const Named<Enum> (&table)[N], std::string_view name) {
  for (const Named<Enum>& entry : table) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

/// All names, in the order of the table.
template <typename Enum, size_t N>
constexpr std::array<std::string_view, N> names_of(const Named<Enum> (&table)[N]) {
  std::array<std::string_view, N> names{};
  for (size_t i = 0; i < N; ++i) names[i] = table[i].name;
  return names;
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_NAMED_H_
