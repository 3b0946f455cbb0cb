#ifndef XKDE_CORE_TEXT_JINJA_NAMED_ROWS_H_
#define XKDE_CORE_TEXT_JINJA_NAMED_ROWS_H_

#include <cstddef>
#include <span>
#include <string_view>

namespace xkde::jinja {

/// A row of a table of filters, tests, functions or methods, which templates name.
template <typename Callable>
struct NamedRow {
  std::string_view name;
  Callable callable;  ///< a pointer to a function
};

/// Null: the table has no such name.
template <typename Callable>
constexpr Callable find_named(std::span<const NamedRow<Callable>> table, std::string_view name) {
  for (const NamedRow<Callable>& row : table) {
    if (row.name == name) return row.callable;
  }
  return nullptr;
}
template <typename Callable, size_t size>
constexpr Callable find_named(const NamedRow<Callable> (&table)[size], std::string_view name) {
  return find_named(std::span<const NamedRow<Callable>>(table), name);
}

}  // namespace xkde::jinja

#endif  // XKDE_CORE_TEXT_JINJA_NAMED_ROWS_H_
