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

/// A row of such a table: a Named<Enum>, or a struct with those two members and more of what there
/// is to say about the value.
template <typename Entry>
concept NamedEntry = requires(const Entry& entry) {
  std::string_view(entry.name);
  static_cast<int>(entry.value);
};
template <NamedEntry Entry>
using EnumOf = decltype(Entry::value);

/// The row of `value`. Throws InternalError when the table lacks it.
template <NamedEntry Entry, size_t N>
constexpr const Entry& entry_of(const Entry (&table)[N], EnumOf<Entry> value) {
  for (const Entry& entry : table) {
    if (entry.value == value) return entry;
  }
  throw InternalError(concat("enum value ", static_cast<int>(value), " has no name"));
}

/// The name of `value`. Throws as entry_of() does.
template <NamedEntry Entry, size_t N>
constexpr std::string_view name_of(const Entry (&table)[N], EnumOf<Entry> value) {
  return entry_of(table, value).name;
}

/// The value called `name`; nothing when the table has no such name.
template <NamedEntry Entry, size_t N>
constexpr std::optional<EnumOf<Entry>> value_of(const Entry (&table)[N], std::string_view name) {
  for (const Entry& entry : table) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

/// As above; "auto", a choice that is left to the program, for nothing.
template <NamedEntry Entry, size_t N>
constexpr std::string_view name_or_auto(const Entry (&table)[N],
                                        std::optional<EnumOf<Entry>> value) {
  return value ? name_of(table, *value) : "auto";
}

/// All names, in the order of the table.
template <NamedEntry Entry, size_t N>
constexpr std::array<std::string_view, N> names_of(const Entry (&table)[N]) {
  std::array<std::string_view, N> names{};
  for (size_t i = 0; i < N; ++i) names[i] = table[i].name;
  return names;
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_NAMED_H_
