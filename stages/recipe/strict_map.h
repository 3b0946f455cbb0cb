#ifndef XKDE_STAGES_RECIPE_STRICT_MAP_H_
#define XKDE_STAGES_RECIPE_STRICT_MAP_H_

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/named.h"
#include "core/io/json_file.h"
#include "stages/recipe/condition.h"
#include "stages/recipe/errors.h"
#include "stages/recipe/value_schema.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// The name of a choice that the program makes itself.
inline constexpr std::string_view kAuto = "auto";

/// One mapping of a recipe, read key by key into variables that hold the defaults. Mistakes go into
/// the errors of the recipe and leave the variable as it was; done() adds those keys that nobody
/// asked for. Texts are taken as written, whether quoted or not; numbers and booleans are never
/// quoted. `errors` and `places` outlive the map.
///
/// A map that is written goes the other way, so that one function says each key once: every call
/// that reads a key adds it to an object, with the value that the variable has, and leaves the
/// variable as it is. Such a map has no keys and notes no mistakes.
///
/// A map that is described adds what may stand at each key to a JSON Schema, with the value that
/// the variable has as the default. It has no keys either; sections and lists that may be there are
/// described.
class StrictMap {
 public:
  /// Where the values that were read stand, by their paths.
  using Places = std::map<std::string, Place>;

  /// `path` leads to the mapping and begins every message; "" for the recipe itself. `place` is the
  /// key that names it. A node that is no mapping is a mistake, and nothing at all an empty
  /// mapping.
  StrictMap(YamlPtr node, Place place, std::string path, RecipeErrors& errors, Places& places);

  /// A map that is written into `out`, which outlives it.
  static StrictMap writing(Json& out);

  /// A map that is described in `schema`, which outlives it, up to done().
  static StrictMap describing(Json& schema);

  /// False for a map that is written or described.
  bool reads() const noexcept { return out_ == nullptr && schema_ == nullptr; }
  bool describes() const noexcept { return schema_ != nullptr; }
  bool has(std::string_view key) const;
  /// False when the node was something else: that mistake is noted already.
  bool is_mapping() const noexcept { return !is_broken_; }
  std::vector<std::string> keys() const;  ///< as written, asked for or not
  const std::string& file() const noexcept { return errors_->file(); }
  const std::string& path() const noexcept { return path_; }
  /// False where a mistake was noted at the key or below it. Then its variable is as it was, and
  /// tells nothing of what the keys beside it should be. True for a map that is written or
  /// described.
  bool knows(std::string_view key) const;
  /// Names the mapping otherwise in messages from now on.
  void rename(std::string path) { path_ = std::move(path); }
  std::string path_of(std::string_view key) const;

  /// Read a key if it is there. `out` keeps its value if not.
  void optional(std::string_view key, bool& out);
  void optional(std::string_view key, int64_t& out, Condition<int64_t> condition = kAnyInteger);
  void optional(std::string_view key, double& out, Condition<double> condition = kAnyNumber);
  void optional(std::string_view key, std::string& out,
                Condition<std::string> condition = kSomeText);
  /// As expand_path() takes it.
  void optional(std::string_view key, std::filesystem::path& out);
  /// The same for a path that may be a name instead.
  void path_or_name(std::string_view key, std::string& out);
  /// Lists are never empty, and no value stands in one twice.
  void optional(std::string_view key, std::vector<std::string>& out,
                Condition<std::string> condition = kSomeText);
  void optional(std::string_view key, std::vector<int64_t>& out,
                Condition<int64_t> condition = kAnyInteger);
  void optional(std::string_view key, std::vector<double>& out,
                Condition<double> condition = kAnyNumber);
  /// As above, but a value may stand there twice.
  void repeatable(std::string_view key, std::vector<double>& out,
                  Condition<double> condition = kAnyNumber);
  void optional(std::string_view key, std::string& out, const Names& names);
  void optional(std::string_view key, std::vector<std::string>& out, const Names& names);
  /// A name of `table`, as the value that it stands for.
  template <NamedEntry Entry, size_t N>
  void optional(std::string_view key, EnumOf<Entry>& out, const Entry (&table)[N]) {
    std::string name(name_of(table, out));
    const auto known = names_of(table);
    optional(key, name, Names{known});
    out = *value_of(table, name);
  }
  /// A list of names, as values in the order written.
  template <NamedEntry Entry, size_t N>
  void optional(std::string_view key, std::vector<EnumOf<Entry>>& out, const Entry (&table)[N],
                std::span<const ForeignName> foreign = {}) {
    std::vector<std::string> names;
    for (const auto value : out) names.emplace_back(name_of(table, value));
    const auto known = names_of(table);
    optional(key, names, Names{known, foreign});
    out.clear();
    for (const std::string& name : names) out.push_back(*value_of(table, name));
  }
  /// As above, or "auto", which leaves the choice to the program and is nothing.
  template <NamedEntry Entry, size_t N>
  void optional_or_auto(std::string_view key, std::optional<EnumOf<Entry>>& out,
                        const Entry (&table)[N]) {
    const auto names = names_of(table);
    std::vector<std::string_view> known{kAuto};
    known.insert(known.end(), names.begin(), names.end());
    std::string name(out ? name_of(table, *out) : kAuto);
    optional(key, name, Names{known});
    out = value_of(table, name);
  }

  /// As optional(), and a key that is not there is a mistake.
  template <typename T, typename... Rest>
  void required(std::string_view key, T& out, const Rest&... rest) {
    is_required_ = true;
    optional(key, out, rest...);
    is_required_ = false;
  }

  /// As optional() for a key that says nothing beside the values of some others: it is read in any
  /// case.
  template <typename T, typename... Rest>
  void written_if(bool says_something, std::string_view key, T& out, const Rest&... rest) {
    if (out_ == nullptr || says_something) optional(key, out, rest...);
  }

  /// Whether a key without a default has a value to be read into `out`, which is made then, or to
  /// be written. Messages list the key among the known ones also where it is not there.
  template <typename T>
  bool asks(std::string_view key, std::optional<T>& out) {
    if (has(key) || describes()) out.emplace();
    if (!has(key)) asked_.emplace_back(key);
    return out.has_value();
  }

  /// The mapping of a key; empty when the key is not there.
  StrictMap map(std::string_view key);
  /// The items of a list that must be there and not be empty, each a mapping.
  std::vector<StrictMap> maps(std::string_view key);
  /// As above; `each_key(StrictMap, T&)` reads or writes one item.
  template <typename T, typename EachKey>
  void list(std::string_view key, std::vector<T>& out, const EachKey& each_key) {
    if (describes()) {
      is_required_ = true;
      describe_list<T>(key, each_key);
      is_required_ = false;
    } else if (reads()) {
      for (StrictMap& item : maps(key)) each_key(std::move(item), out.emplace_back());
    } else {
      Json& items = (*out_)[std::string(key)] = Json::array();
      for (T& item : out) each_key(writing(items.emplace_back()), item);
    }
  }

  /// As above for a list that may be absent, which is empty then.
  template <typename T, typename EachKey>
  void optional_list(std::string_view key, std::vector<T>& out, const EachKey& each_key) {
    if (describes()) return describe_list<T>(key, each_key);
    if (has(key) || !out.empty()) return list(key, out, each_key);
    asked_.emplace_back(key);
  }

  /// Of a map that is described: the keys `needed` and all that are required may be left out where
  /// `other` is there.
  void excuse(std::string_view other, std::initializer_list<std::string_view> needed = {});
  /// Of a map that is described: keywords of JSON Schema that hold beside those of its keys.
  void add_rule(Json rule);
  /// Of a map that is described: a key whose values `schema` describes.
  void describe_as(std::string_view key, Json schema);

  /// A key that is a mistake in itself; `why` is the rest of the message.
  void refuse(std::string_view key, const std::string& why);
  /// Refuses each of these keys that is there, with its hint.
  void refuse_foreign(std::span<const ForeignKeys> table);
  /// Adds a mistake at the value of `key`, or at the mapping when it has no such key.
  void add_error(std::string_view key, const std::string& what);
  /// Adds every key that was not asked for, with the closest one that was.
  void done();

 private:
  /// Writes or describes the key; false for a map that is read.
  template <typename T, typename Values>
  bool write(std::string_view key, const T& value, const Values& values);
  template <typename T, typename EachKey>
  void describe_list(std::string_view key, const EachKey& each_key) {
    Json schema{{"type", "array"}, {"minItems", 1}};
    T item;
    each_key(describing(schema["items"]), item);
    describe_as(key, std::move(schema));
  }
  StrictMap describe_map(std::string_view key);
  void finish_schema();
  /// False after adding a mistake.
  bool read_name(const std::string& path, const YamlNode& node, const Names& names,
                 std::string& out);
  /// The value of a key, noting that it was asked for; nullptr when it is not there.
  const YamlNode* ask(std::string_view key, const std::string& expected);
  void add_found(const std::string& path, const std::string& expected, const YamlNode& found,
                 const std::string& hint = "");
  template <typename T, typename Read>
  void read_list(std::string_view key, std::vector<T>& out, const std::string& each,
                 const Read& read, const Names& names = {});
  template <typename T>
  bool read_value(const std::string& path, const YamlNode& node, Condition<T> condition, T& out);
  template <typename T>
  void read_one(std::string_view key, T& out, Condition<T> condition);
  template <typename T>
  void read_many(std::string_view key, std::vector<T>& out, Condition<T> condition);

  StrictMap() = default;

  YamlPtr node_ = std::make_shared<YamlNode>();
  Place place_;
  std::string path_;
  RecipeErrors* errors_ = nullptr;
  Places* places_ = nullptr;
  std::vector<std::string> asked_;
  std::vector<std::string> refused_;
  bool is_required_ = false;
  bool may_repeat_ = false;
  bool is_broken_ = false;  ///< no mapping: its keys are not missed
  Json* out_ = nullptr;     ///< of a map that is written, which has no errors and no places
  Json* schema_ = nullptr;  ///< of a map that is described, which has none either
  Json* parent_ = nullptr;  ///< the schema of a mapping that needs this one where it needs a key
};

/// The JSON Schema of `keys`, a section or a stage.
template <typename T>
Json described(T keys) {
  Json schema;
  keys.each_key(StrictMap::describing(schema));
  return schema;
}

/// What `keys`, a section or a stage, is in a resolved recipe.
template <typename T>
Json written(T keys) {
  Json json;
  keys.each_key(StrictMap::writing(json));
  return json;
}

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_STRICT_MAP_H_
