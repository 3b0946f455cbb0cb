#ifndef XKDE_STAGES_RECIPE_VALUE_SCHEMA_H_
#define XKDE_STAGES_RECIPE_VALUE_SCHEMA_H_

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/condition.h"

namespace xkde::recipe {

/// A name that other programs know at a key, and what is there in its place.
struct ForeignName {
  std::string_view name;
  std::string_view hint;  ///< ends the message
};

/// Keys that people know from other programs (transformers, TRL, PEFT, LLaMA-Factory, axolotl,
/// PyTorch): names that mean the same, with blanks between them, none of them a key of ours, and
/// what says it here, behind "unknown key; ". docs/migrating.md has tables for people.
struct ForeignKeys {
  std::string_view names;
  std::string_view hint;
};

/// The values of a key that takes one of a few names.
struct Names {
  std::span<const std::string_view> known;
  std::span<const ForeignName> foreign = {};

  bool holds(std::string_view name) const {
    return std::find(known.begin(), known.end(), name) != known.end();
  }
};

/// The values of a key that is true or false.
struct Switch {
  bool holds(bool /*value*/) const { return true; }
};

/// The values of a key that takes a list, which is never empty.
template <typename Each>
struct ListOf {
  const Each& each;
  bool may_repeat = false;

  template <typename T>
  bool holds(const std::vector<T>& values) const {
    const auto fits = [this](const T& value) { return each.holds(value); };
    return !values.empty() && std::all_of(values.begin(), values.end(), fits);
  }
};

/// The values as JSON Schema says them. Texts may look like numbers or booleans in YAML: a recipe
/// takes them as written.
Json schema_of(const Condition<int64_t>& condition);
Json schema_of(const Condition<double>& condition);
Json schema_of(const Condition<std::string>& condition);
Json schema_of(const Names& names);
Json schema_of(const Switch& values);
template <typename Each>
Json schema_of(const ListOf<Each>& list) {
  Json schema{{"type", "array"}, {"minItems", 1}};
  if (!list.may_repeat) schema["uniqueItems"] = true;
  schema["items"] = schema_of(list.each);
  return schema;
}

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_VALUE_SCHEMA_H_
