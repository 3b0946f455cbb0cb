#include "core/text/jinja/python/json_value.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace xkde::jinja {

Value value_of(const Json& json) {
  if (json.is_null()) return None{};
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return Value(json.get<std::string>());
  if (json.is_object()) {
    auto dict = std::make_shared<Dict>();
    for (const auto& [key, value] : json.items()) dict->put(Value(key), value_of(value));
    return DictPtr(std::move(dict));
  }
  auto list = std::make_shared<Sequence>();
  for (const Json& item : json) {
    list->items.push_back(value_of(item));
    list->depth = std::max(list->depth, list->items.back().depth() + 1);
  }
  return SequencePtr(std::move(list));
}

}  // namespace xkde::jinja
