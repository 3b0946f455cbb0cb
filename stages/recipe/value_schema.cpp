#include "stages/recipe/value_schema.h"

#include <limits>

namespace xkde::recipe {
namespace {

/// `least` and `most` stand for "any" at the ends of what their type holds.
template <typename T>
void add_interval(Json& schema, const Interval<T>& interval) {
  if (interval.least != std::numeric_limits<T>::lowest())
    schema[interval.is_open_below ? "exclusiveMinimum" : "minimum"] = interval.least;
  if (interval.most != std::numeric_limits<T>::max())
    schema[interval.is_open_above ? "exclusiveMaximum" : "maximum"] = interval.most;
}

}  // namespace

Json schema_of(const Condition<int64_t>& condition) {
  Json schema{{"type", "integer"}};
  add_interval(schema, condition.interval);
  return schema;
}

Json schema_of(const Condition<double>& condition) {
  Json schema{{"type", "number"}};
  add_interval(schema, condition.interval);
  return schema;
}

Json schema_of(const Condition<std::string>& condition) {
  if (!condition.choices.empty())
    return {{"enum", std::vector<std::string>(condition.choices.begin(), condition.choices.end())}};
  Json schema{{"type", {"string", "number", "boolean"}}};
  if (condition.pattern != nullptr) schema["pattern"] = condition.pattern;
  return schema;
}

Json schema_of(const Names& names) {
  return {{"enum", std::vector<std::string_view>(names.known.begin(), names.known.end())}};
}

Json schema_of(const Switch& /*values*/) { return {{"type", "boolean"}}; }

}  // namespace xkde::recipe
