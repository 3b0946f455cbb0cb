#include "stages/edit/editor_keys.h"

#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/text/chat_template.h"
#include "stages/recipe/errors.h"

namespace xkde::recipe {
namespace {

constexpr Condition<std::string> kTemplate{
    "a text with {} where the prompt goes",
    [](const std::string& text) { return text.find("{}") != std::string::npos; }, "\\{\\}"};

/// Nothing where it is not known: then the keys of any may be there.
using Method = std::optional<EditorKind>;

template <typename Number>
bool may_be_zero(const Number& number, Method method) {
  return !method || number.may_be_zero_of(*method);
}

void read(StrictMap& map, Method method, const EditorNumber<int64_t>& number, int64_t& value) {
  map.optional(number.key, value, may_be_zero(number, method) ? kNotNegative : kPositive);
}

void read(StrictMap& map, Method method, const EditorNumber<double>& number, double& value) {
  map.optional(number.key, value,
               may_be_zero(number, method) ? kNotNegativeNumber : kPositiveNumber);
}

void read(StrictMap& map, Method /*method*/, const EditorNumber<bool>& number, bool& value) {
  map.optional(number.key, value);
}

/// Refuses a key that the method does not look at. `looks`: which methods do.
template <typename Looks>
void refuse_key(StrictMap& map, std::string_view key, EditorKind kind, const Looks& looks) {
  if (!map.has(key)) return;
  std::vector<std::string> names;
  for (const EditorEntry& entry : kEditors) {
    if (looks(entry)) names.emplace_back(entry.name);
  }
  map.refuse(key, concat("expected method: ", alternatives(names), " beside this key, found ",
                         name_of(kEditors, kind)));
}

template <typename Numbers>
void each_number(StrictMap& map, Method method, const Numbers& numbers, EditorOptions& options) {
  for (const auto& number : numbers) {
    if (method && !number.is_of(*method)) {
      refuse_key(map, number.key, *method,
                 [&](const EditorEntry& entry) { return number.is_of(entry.value); });
      continue;
    }
    auto& value = options.*number.option;
    if (map.asks(number.key, value)) read(map, method, number, *value);
  }
}

/// The keys of all methods: where two ask for different values, either will do.
void add_properties(Json& all, const Json& one) {
  for (const auto& [key, values] : one.items()) {
    if (!all.contains(key)) {
      all[key] = values;
    } else if (all[key] != values) {
      Json both = all[key].value("anyOf", Json::array({all[key]}));
      if (std::find(both.begin(), both.end(), values) == both.end()) both.push_back(values);
      all[key] = {{"anyOf", std::move(both)}};
    }
  }
}

}  // namespace

void describe_editor(StrictMap& stage) {
  Json all{{"type", {"object", "null"}}, {"properties", Json::object()}};
  std::vector<Json> rules;
  for (const EditorEntry& entry : kEditors) {
    Json one;
    EditorOptions options;
    each_editor_key(StrictMap::describing(one), entry.value, options);
    add_properties(all["properties"], one["properties"]);
    Json keys = Json::array();
    for (const auto& [key, values] : one["properties"].items()) keys.push_back(key);
    Json is_this, then;
    is_this["properties"]["method"]["const"] = entry.name;
    is_this["required"].emplace_back("method");
    then["properties"]["editor"]["propertyNames"]["enum"] = std::move(keys);
    rules.push_back({{"if", std::move(is_this)}, {"then", std::move(then)}});
  }
  all["additionalProperties"] = false;
  stage.describe_as("editor", std::move(all));
  for (Json& rule : rules) stage.add_rule(std::move(rule));
}

void each_editor_key(StrictMap map, std::optional<EditorKind> method, EditorOptions& options) {
  const EditorEntry* const entry = method ? &entry_of(kEditors, *method) : nullptr;
  map.optional_or_auto("preset", options.preset, kEditorPresetNames);
  if (map.asks("layers", options.layers)) map.optional("layers", *options.layers, kNotNegative);
  if (map.asks("modules", options.modules)) map.optional("modules", *options.modules);
  each_number(map, method, kEditorCounts, options);
  each_number(map, method, kEditorNumbers, options);
  each_number(map, method, kEditorSwitches, options);
  const std::vector<std::string_view> templates = ChatTemplate::keys();
  map.optional("chat_template", options.chat_template, Names{templates});
  if (entry == nullptr || entry->uses_contexts) {
    map.written_if(!options.context_templates.empty(), "context_templates",
                   options.context_templates, kTemplate);
  } else {
    refuse_key(map, "context_templates", entry->value,
               [](const EditorEntry& other) { return other.uses_contexts; });
  }
  if (entry == nullptr || entry->value == EditorKind::kWise) {
    map.written_if(!options.unrelated.empty(), "unrelated", options.unrelated);
  } else {
    refuse_key(map, "unrelated", entry->value,
               [](const EditorEntry& other) { return other.value == EditorKind::kWise; });
  }
  if (entry == nullptr || entry->needs_moments) {
    map.written_if(!options.covariance.empty(), "covariance", options.covariance);
  } else {
    refuse_key(map, "covariance", entry->value,
               [](const EditorEntry& other) { return other.needs_moments; });
  }
  map.optional("batch", options.batch, kPositive);
  map.optional("max_tokens_per_batch", options.max_tokens_per_batch, kPositive);
  map.done();
}

}  // namespace xkde::recipe
