#include "stages/recipe/strict_map.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <system_error>

#include "core/base/error.h"
#include "core/text/did_you_mean.h"
#include "stages/recipe/expansion.h"

namespace xkde::recipe {
namespace {

using Kind = YamlNode::Kind;

/// "010" is 8 to some YAML readers and 10 to others.
bool has_leading_zero(std::string_view digits) {
  if (digits.starts_with('-')) digits.remove_prefix(1);
  return digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9';
}

template <typename T>
bool parse_number(const YamlNode& node, T& out) {
  if (node.kind != Kind::kPlain || has_leading_zero(node.text)) return false;
  const char* const last = node.text.data() + node.text.size();
  const auto [end, error] = std::from_chars(node.text.data(), last, out);
  return error == std::errc() && end == last;
}

bool parse(const YamlNode& node, int64_t& out) { return parse_number(node, out); }
bool parse(const YamlNode& node, double& out) {
  return parse_number(node, out) && std::isfinite(out);
}
bool parse(const YamlNode& node, std::string& out) {
  if (!node.is_scalar()) return false;
  out = node.text;
  return true;
}

std::string listed(std::span<const std::string_view> names) {
  return alternatives({names.begin(), names.end()});
}

/// Whether one of `names`, which have blanks between them, is `key`.
bool has_name(std::string_view names, std::string_view key) {
  while (!names.empty()) {
    const size_t blank = names.find(' ');
    if (names.substr(0, blank) == key) return true;
    names.remove_prefix(blank == names.npos ? names.size() : blank + 1);
  }
  return false;
}

/// What ends a message about a name that other programs know; "" for any other value.
std::string foreign_hint(const YamlNode& node, const Names& names) {
  for (const ForeignName& foreign : names.foreign)
    if (node.is_scalar() && node.text == foreign.name) return "; " + std::string(foreign.hint);
  return "";
}

}  // namespace

StrictMap::StrictMap(YamlPtr node, Place place, std::string path, RecipeErrors& errors,
                     Places& places)
    : node_(std::move(node)),
      place_(place),
      path_(std::move(path)),
      errors_(&errors),
      places_(&places) {
  const bool is_mapping = node_->kind == Kind::kMap || node_->kind == Kind::kNull;
  if (!is_mapping) {
    add_found(path_, "a mapping (key: value)", *node_);
    node_ = std::make_shared<YamlNode>();
    is_broken_ = true;
  }
}

StrictMap StrictMap::writing(Json& out) {
  StrictMap map;
  map.out_ = &out;
  return map;
}

StrictMap StrictMap::describing(Json& schema) {
  StrictMap map;
  map.schema_ = &schema;
  schema = {{"type", "object"}, {"properties", Json::object()}};
  return map;
}

template <typename T, typename Values>
bool StrictMap::write(std::string_view key, const T& value, const Values& values) {
  if (reads()) return false;
  if (out_ != nullptr) {
    (*out_)[std::string(key)] = value;
    return true;
  }
  Json schema = schema_of(values);
  // A value that nobody may write stands for a key that is not there.
  const bool was_asked = std::find(asked_.begin(), asked_.end(), key) != asked_.end();
  if (!is_required_ && !was_asked && values.holds(value)) schema["default"] = value;
  describe_as(key, std::move(schema));
  return true;
}

void StrictMap::describe_as(std::string_view key, Json schema) {
  if (is_required_) (*schema_)["required"].emplace_back(key);
  (*schema_)["properties"][std::string(key)] = std::move(schema);
}

void StrictMap::excuse(std::string_view other, std::initializer_list<std::string_view> needed) {
  if (!describes()) return;
  Json keys = schema_->value("required", Json::array());
  for (const std::string_view key : needed) keys.emplace_back(key);
  schema_->erase("required");
  Json ways = Json::array();
  ways.emplace_back()["required"].emplace_back(other);
  ways.emplace_back()["required"] = std::move(keys);
  add_rule({{"anyOf", std::move(ways)}});
}

void StrictMap::add_rule(Json rule) {
  if (describes()) (*schema_)["allOf"].push_back(std::move(rule));
}

StrictMap StrictMap::describe_map(std::string_view key) {
  StrictMap section = describing((*schema_)["properties"][std::string(key)]);
  section.path_ = key;
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) section.parent_ = schema_;
  return section;
}

void StrictMap::finish_schema() {
  (*schema_)["additionalProperties"] = false;
  const bool needs_keys = schema_->contains("required") || schema_->contains("allOf");
  // In YAML an empty mapping may be nothing at all: "sft:".
  if (!needs_keys) (*schema_)["type"] = {"object", "null"};
  if (needs_keys && parent_ != nullptr) (*parent_)["required"].emplace_back(path_);
}

bool StrictMap::has(std::string_view key) const { return node_->find(key) != nullptr; }

bool StrictMap::knows(std::string_view key) const {
  return !reads() || !errors_->is_wrong(path_of(key));
}

std::vector<std::string> StrictMap::keys() const {
  std::vector<std::string> keys;
  for (const YamlNode::Entry& entry : node_->entries) keys.push_back(entry.key);
  return keys;
}

std::string StrictMap::path_of(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const YamlNode* StrictMap::ask(std::string_view key, const std::string& expected) {
  asked_.emplace_back(key);
  const YamlNode::Entry* entry = node_->find(key);
  if (entry != nullptr) {
    (*places_)[path_of(key)] = entry->value->place;
    return entry->value.get();
  }
  if (is_required_ && !is_broken_)
    errors_->add(place_, path_of(key), "expected " + expected + ", found no such key");
  return nullptr;
}

void StrictMap::add_found(const std::string& path, const std::string& expected,
                          const YamlNode& found, const std::string& hint) {
  errors_->add(found.place, path, "expected " + expected + ", found " + describe(found) + hint);
}

template <typename T>
bool StrictMap::read_value(const std::string& path, const YamlNode& node, Condition<T> condition,
                           T& out) {
  T value{};
  if (parse(node, value) && condition.holds(value)) {
    out = std::move(value);
    return true;
  }
  add_found(path, condition.text, node);
  return false;
}

template <typename T, typename Read>
void StrictMap::read_list(std::string_view key, std::vector<T>& out, const std::string& each,
                          const Read& read, const Names& names) {
  const std::string expected = "a list, each item " + each;
  const YamlNode* node = ask(key, expected);
  if (node == nullptr) return;
  if (node->kind != YamlNode::Kind::kList || node->items.empty()) {
    add_found(path_of(key), expected, *node, foreign_hint(*node, names));
    return;
  }
  std::vector<T> values;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const std::string path = path_of(key) + "." + std::to_string(i);
    T value{};
    if (!read(path, *node->items[i], value)) continue;
    if (may_repeat_ || std::find(values.begin(), values.end(), value) == values.end()) {
      values.push_back(value);
    } else {
      errors_->add(node->items[i]->place, path,
                   "expected each value once, found " + describe(*node->items[i]) + " again");
    }
  }
  if (values.size() == node->items.size()) out = std::move(values);
}

template <typename T>
void StrictMap::read_one(std::string_view key, T& out, Condition<T> condition) {
  if (write(key, out, condition)) return;
  if (const YamlNode* node = ask(key, condition.text))
    read_value(path_of(key), *node, condition, out);
}

template <typename T>
void StrictMap::read_many(std::string_view key, std::vector<T>& out, Condition<T> condition) {
  if (write(key, out, ListOf<Condition<T>>{condition, may_repeat_})) return;
  read_list<T>(key, out, condition.text,
               [&](const std::string& path, const YamlNode& node, T& value) {
                 return read_value(path, node, condition, value);
               });
}

void StrictMap::optional(std::string_view key, bool& out) {
  if (write(key, out, Switch{})) return;
  const YamlNode* node = ask(key, "true or false");
  if (node == nullptr) return;
  const bool is_plain = node->kind == Kind::kPlain;
  if (is_plain && (node->text == "true" || node->text == "false")) {
    out = node->text == "true";
  } else {
    add_found(path_of(key), "true or false", *node);
  }
}

void StrictMap::optional(std::string_view key, int64_t& out, Condition<int64_t> condition) {
  read_one(key, out, condition);
}
void StrictMap::optional(std::string_view key, double& out, Condition<double> condition) {
  read_one(key, out, condition);
}
void StrictMap::optional(std::string_view key, std::string& out, Condition<std::string> condition) {
  read_one(key, out, condition);
}
void StrictMap::optional(std::string_view key, std::filesystem::path& out) {
  std::string text = out.string();
  path_or_name(key, text);
  out = text;
}
void StrictMap::path_or_name(std::string_view key, std::string& out) {
  constexpr Condition<std::string> kPath{"a path", kSomeText.holds, kSomeText.pattern};
  if (write(key, unexpanded_path(out), kPath)) return;
  const YamlNode* node = ask(key, kPath.text);
  std::string text;
  if (node == nullptr || !read_value(path_of(key), *node, kPath, text)) return;
  const ExpandedPath path = expand_path(text);
  if (!path.mistake.empty()) {
    errors_->add(node->place, path_of(key), path.mistake);
  } else if (path.text.empty()) {
    add_found(path_of(key), "a path, not only variables that are empty", *node);
  } else {
    out = path.text;
  }
}
void StrictMap::optional(std::string_view key, std::vector<std::string>& out,
                         Condition<std::string> condition) {
  read_many(key, out, condition);
}
void StrictMap::optional(std::string_view key, std::vector<int64_t>& out,
                         Condition<int64_t> condition) {
  read_many(key, out, condition);
}
void StrictMap::optional(std::string_view key, std::vector<double>& out,
                         Condition<double> condition) {
  read_many(key, out, condition);
}

void StrictMap::optional(std::string_view key, std::string& out, const Names& names) {
  if (write(key, out, names)) return;
  if (const YamlNode* node = ask(key, listed(names.known)))
    read_name(path_of(key), *node, names, out);
}
void StrictMap::optional(std::string_view key, std::vector<std::string>& out, const Names& names) {
  if (write(key, out, ListOf<Names>{names})) return;
  read_list<std::string>(
      key, out, listed(names.known),
      [&](const std::string& path, const YamlNode& node, std::string& value) {
        return read_name(path, node, names, value);
      },
      names);
}

void StrictMap::repeatable(std::string_view key, std::vector<double>& out,
                           Condition<double> condition) {
  may_repeat_ = true;
  optional(key, out, condition);
  may_repeat_ = false;
}

bool StrictMap::read_name(const std::string& path, const YamlNode& node, const Names& names,
                          std::string& out) {
  const auto& known = names.known;
  if (node.is_scalar() && names.holds(node.text)) {
    out = node.text;
    return true;
  }
  std::string hint = foreign_hint(node, names);
  if (hint.empty() && node.is_scalar())
    hint = did_you_mean(node.text, {known.begin(), known.end()});
  add_found(path, listed(known), node, hint);
  return false;
}

StrictMap StrictMap::map(std::string_view key) {
  if (out_ != nullptr) return writing((*out_)[std::string(key)]);
  if (describes()) return describe_map(key);
  const YamlNode::Entry* entry = node_->find(key);
  ask(key, "a mapping (key: value)");
  if (entry == nullptr)
    return {std::make_shared<YamlNode>(), place_, path_of(key), *errors_, *places_};
  return {entry->value, entry->place, path_of(key), *errors_, *places_};
}

std::vector<StrictMap> StrictMap::maps(std::string_view key) {
  is_required_ = true;
  const std::string expected = "a list of mappings";
  const YamlNode* node = ask(key, expected);
  is_required_ = false;
  if (node == nullptr) return {};
  if (node->kind != Kind::kList || node->items.empty()) {
    add_found(path_of(key), expected, *node);
    return {};
  }
  std::vector<StrictMap> result;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const YamlPtr& item = node->items[i];
    result.emplace_back(item, item->place, path_of(key) + "." + std::to_string(i), *errors_,
                        *places_);
  }
  return result;
}

void StrictMap::refuse(std::string_view key, const std::string& why) {
  const YamlNode::Entry* entry = node_->find(key);
  if (entry == nullptr) return;
  errors_->add(entry->place, path_of(key), why);
  refused_.emplace_back(key);
}

void StrictMap::refuse_foreign(std::span<const ForeignKeys> table) {
  for (const std::string& key : keys()) {
    for (const ForeignKeys& one : table) {
      if (has_name(one.names, key)) refuse(key, concat("unknown key; ", one.hint));
    }
  }
}

void StrictMap::add_error(std::string_view key, const std::string& what) {
  if (!reads()) return;
  const YamlNode::Entry* entry = node_->find(key);
  errors_->add(entry == nullptr ? place_ : entry->value->place, path_of(key), what);
}

void StrictMap::done() {
  if (describes()) return finish_schema();
  for (const YamlNode::Entry& entry : node_->entries) {
    const auto contains = [&entry](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), entry.key) != list.end();
    };
    if (contains(asked_) || contains(refused_)) continue;
    const std::string hint = did_you_mean(entry.key, asked_);
    errors_->add(
        entry.place, path_of(entry.key),
        hint.empty() ? "unknown key; expected " + alternatives(asked_) : "unknown key" + hint);
  }
}

}  // namespace xkde::recipe
