#ifndef XKDE_STAGES_RECIPE_STRICT_MAP_H_
#define XKDE_STAGES_RECIPE_STRICT_MAP_H_

#include <cstdint>
#include <filesystem>
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
#include "stages/recipe/errors.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// A condition on a value and the words for it: "expected `text`, found ...".
template <typename T>
struct Condition {
  const char* text;
  bool (*holds)(const T&);
};

inline constexpr Condition<int64_t> kAnyInteger{"an integer", [](const int64_t&) { return true; }};
inline constexpr Condition<int64_t> kPositive{"a positive integer",
                                              [](const int64_t& value) { return value > 0; }};
inline constexpr Condition<int64_t> kNotNegative{"an integer of at least 0",
                                                 [](const int64_t& value) { return value >= 0; }};
inline constexpr Condition<double> kAnyNumber{"a number", [](const double&) { return true; }};
inline constexpr Condition<double> kPositiveNumber{"a positive number",
                                                   [](const double& value) { return value > 0; }};
inline constexpr Condition<double> kNotNegativeNumber{
    "a number of at least 0", [](const double& value) { return value >= 0; }};
inline constexpr Condition<double> kShare{
    "a number in [0, 1)", [](const double& value) { return value >= 0 && value < 1; }};
inline constexpr Condition<std::string> kSomeText{
    "a text that is not empty", [](const std::string& value) { return !value.empty(); }};

/// The values of a key that takes one of a few names.
struct Names {
  std::span<const std::string_view> known;
};

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

  /// False for a map that is written.
  bool reads() const noexcept { return out_ == nullptr; }
  bool has(std::string_view key) const;
  /// False when the node was something else: that mistake is noted already.
  bool is_mapping() const noexcept { return !is_broken_; }
  std::vector<std::string> keys() const;  ///< as written, asked for or not
  const std::string& file() const noexcept { return errors_->file(); }
  const std::string& path() const noexcept { return path_; }
  /// Names the mapping otherwise in messages from now on.
  void rename(std::string path) { path_ = std::move(path); }
  std::string path_of(std::string_view key) const;

  /// Read a key if it is there. `out` keeps its value if not.
  void optional(std::string_view key, bool& out);
  void optional(std::string_view key, int64_t& out, Condition<int64_t> condition = kAnyInteger);
  void optional(std::string_view key, double& out, Condition<double> condition = kAnyNumber);
  void optional(std::string_view key, std::string& out,
                Condition<std::string> condition = kSomeText);
  void optional(std::string_view key, std::filesystem::path& out);
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
  void optional(std::string_view key, std::vector<EnumOf<Entry>>& out, const Entry (&table)[N]) {
    std::vector<std::string> names;
    for (const auto value : out) names.emplace_back(name_of(table, value));
    const auto known = names_of(table);
    optional(key, names, Names{known});
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
    if (reads() || says_something) optional(key, out, rest...);
  }

  /// Whether a key without a default has a value to be read into `out`, which is made then, or to
  /// be written. Messages list the key among the known ones also where it is not there.
  template <typename T>
  bool asks(std::string_view key, std::optional<T>& out) {
    if (has(key)) out.emplace();
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
    if (reads()) {
      for (StrictMap& item : maps(key)) each_key(std::move(item), out.emplace_back());
    } else {
      Json& items = (*out_)[std::string(key)] = Json::array();
      for (T& item : out) each_key(writing(items.emplace_back()), item);
    }
  }

  /// As above for a list that may be absent, which is empty then.
  template <typename T, typename EachKey>
  void optional_list(std::string_view key, std::vector<T>& out, const EachKey& each_key) {
    if (has(key) || !out.empty()) return list(key, out, each_key);
    asked_.emplace_back(key);
  }

  /// A key that is a mistake in itself; `why` is the rest of the message.
  void refuse(std::string_view key, const std::string& why);
  /// Adds a mistake at the value of `key`, or at the mapping when it has no such key.
  void add_error(std::string_view key, const std::string& what);
  /// Adds every key that was not asked for, with the closest one that was.
  void done();

 private:
  /// False for a map that is read.
  template <typename T>
  bool write(std::string_view key, const T& value);
  /// False after adding a mistake.
  bool read_name(const std::string& path, const YamlNode& node, const Names& names,
                 std::string& out);
  /// The value of a key, noting that it was asked for; nullptr when it is not there.
  const YamlNode* ask(std::string_view key, const std::string& expected);
  void add_found(const std::string& path, const std::string& expected, const YamlNode& found);
  template <typename T, typename Read>
  void read_list(std::string_view key, std::vector<T>& out, const std::string& each,
                 const Read& read);
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
};

/// What `keys`, a section or a stage, is in a resolved recipe.
template <typename T>
Json written(T keys) {
  Json json;
  keys.each_key(StrictMap::writing(json));
  return json;
}

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_STRICT_MAP_H_
