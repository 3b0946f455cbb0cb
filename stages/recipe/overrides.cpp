#include "stages/recipe/overrides.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/text/did_you_mean.h"

namespace xkde::recipe {
namespace {

using Kind = YamlNode::Kind;

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> words;
  while (true) {
    const size_t dot = path.find('.');
    words.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return words;
    path.remove_prefix(dot + 1);
  }
}

std::optional<size_t> parse_index(std::string_view word) {
  size_t index = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), index);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return index;
}

/// The name of each stage of the recipe, "" where a stage has not the form {name: ...}.
std::vector<std::string> stages_of(const YamlNode& root) {
  std::vector<std::string> stages;
  const YamlNode::Entry* entry = root.find("stages");
  if (entry == nullptr) return stages;
  for (const YamlPtr& item : entry->value->items)
    stages.push_back(item->entries.size() == 1 ? item->entries.front().key : "");
  return stages;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// The keys of a mapping.
std::vector<std::string> keys_of(const YamlNode& node) {
  std::vector<std::string> keys;
  for (const YamlNode::Entry& entry : node.entries) keys.push_back(entry.key);
  return keys;
}

/// A path from the root, with the number and name of the stage.
struct KeyPath {
  std::vector<std::string> words;
  std::string mistake;  ///< "expected ..., found ..."; empty: none
};

/// What a path is for.
struct PathUse {
  std::string_view form;        ///< as a path of that use looks
  std::string_view end;         ///< what stands behind it where it is used
  bool may_be_a_stage = false;  ///< "stages" and "stages.N" lead to something
};
constexpr PathUse kSet{"key.path=value", ""};
constexpr PathUse kRemove{"key.path~", "~", true};
constexpr PathUse kRefer{"${key.path}", "", true};

KeyPath complete_number(KeyPath path, const std::vector<std::string>& stages, const PathUse& use) {
  std::vector<std::string>& words = path.words;
  if (use.may_be_a_stage && words.size() == 1) return path;
  const auto index =
      words.size() > (use.may_be_a_stage ? 1U : 2U) ? parse_index(words[1]) : std::nullopt;
  if (!index) {
    path.mistake = "expected stages.N.key=value with N from 0";
  } else if (*index >= stages.size()) {
    path.mistake = concat("expected a stage below ", stages.size(), ", found ", *index);
  } else if (const std::string& name = stages[*index];
             words.size() > 2 && !name.empty() && words[2] != name) {
    words.insert(words.begin() + 2, name);
  }
  return path;
}

KeyPath complete_name(KeyPath path, const std::vector<std::string>& stages, std::string_view text,
                      const PathUse& use) {
  std::vector<std::string> forms;
  std::string number;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i] != path.words.front()) continue;
    number = std::to_string(i);
    forms.push_back(concat("stages.", number, ".", text, use.end));
  }
  if (forms.size() > 1) {
    path.mistake = concat("expected one stage '", path.words.front(), "', found ", forms.size(),
                          "; write ", alternatives(forms));
  } else {
    path.words.insert(path.words.begin(), {"stages", number});
  }
  return path;
}

/// Writes the short forms of a path out.
KeyPath complete(const YamlNode& root, std::string_view text, const OverrideNames& names,
                 const PathUse& use) {
  KeyPath path{split(text), ""};
  const std::string first = path.words.front();
  if (contains(path.words, "")) {
    path.mistake = concat("expected ", use.form, ", found an empty key");
    return path;
  }
  if (path.words.size() > YamlLimits{}.max_depth) {
    path.mistake = concat("expected at most ", YamlLimits{}.max_depth, " keys, found more");
    return path;
  }
  const std::vector<std::string> stages = stages_of(root);
  if (first == "stages") return complete_number(std::move(path), stages, use);
  if (contains(stages, first)) return complete_name(std::move(path), stages, text, use);
  if (contains(names.root_keys, first)) return path;
  if (contains(names.stage_names, first)) {
    path.mistake = "expected a stage of this recipe, found none named '" + first + "'";
    return path;
  }
  std::vector<std::string> known = names.root_keys;
  for (const std::string& stage : stages) {
    if (!stage.empty()) known.push_back(stage);
  }
  const std::string hint = did_you_mean(first, known);
  path.mistake =
      hint.empty() ? "unknown key; expected " + alternatives(known) : "unknown key" + hint;
  return path;
}

/// One override on its way into the tree.
class Override {
 public:
  Override(Place place, std::string path, const OverrideNames& names, RecipeErrors& errors)
      : place_(place), path_(std::move(path)), names_(names), errors_(errors) {}

  YamlPtr apply(const YamlPtr& root, std::string_view text) {
    const KeyPath path = complete(*root, path_, names_, kSet);
    if (!path.mistake.empty()) return fail(root, path.mistake);
    const YamlPtr value = read_yaml_value(text, place_, path_, errors_);
    return with_value(root, path.words, value);
  }

  YamlPtr remove(const YamlPtr& root) {
    KeyPath path = complete(*root, path_, names_, kRemove);
    if (!path.mistake.empty()) return fail(root, path.mistake);
    // A stage goes with the item of the list that names it.
    if (path.words.size() == 3 && path.words.front() == "stages") path.words.pop_back();
    return without(root, path.words);
  }

 private:
  YamlPtr fail(const YamlPtr& unchanged, const std::string& what) {
    errors_.add(place_, path_, what);
    return unchanged;
  }

  /// `node` with the value set below it; nodes on the way are copied, since aliases share them.
  YamlPtr with_value(const YamlPtr& node, std::span<const std::string> words,
                     const YamlPtr& value) {
    if (words.empty()) return value;
    switch (node->kind) {
      case Kind::kList:
        return with_item(node, words, value);
      case Kind::kMap:
      case Kind::kNull:
        return with_entry(node, words, value);
      default:
        return fail(node, concat("expected a mapping or list that holds '", words.front(),
                                 "', found ", describe(*node)));
    }
  }

  YamlPtr with_item(const YamlPtr& node, std::span<const std::string> words, const YamlPtr& value) {
    const auto index = parse_index(words.front());
    if (!index || *index >= node->items.size()) {
      return fail(node, concat("expected a position below ", node->items.size(), ", found ",
                               words.front()));
    }
    auto copy = std::make_shared<YamlNode>(*node);
    copy->items[*index] = with_value(node->items[*index], words.subspan(1), value);
    return copy;
  }

  YamlPtr with_entry(const YamlPtr& node, std::span<const std::string> words,
                     const YamlPtr& value) {
    auto copy = std::make_shared<YamlNode>(*node);
    copy->kind = Kind::kMap;
    const auto found =
        std::find_if(copy->entries.begin(), copy->entries.end(),
                     [&words](const YamlNode::Entry& entry) { return entry.key == words.front(); });
    if (found != copy->entries.end()) {
      found->value = with_value(found->value, words.subspan(1), value);
      return copy;
    }
    auto absent = std::make_shared<YamlNode>();
    absent->place = place_;
    copy->entries.push_back({words.front(), place_, with_value(absent, words.subspan(1), value)});
    return copy;
  }

  /// `node` without what the path leads to; nodes on the way are copied, too.
  YamlPtr without(const YamlPtr& node, std::span<const std::string> words) {
    if (node->kind == Kind::kList) return without_item(node, words);
    const YamlNode::Entry* entry = node->find(words.front());
    if (entry == nullptr) {
      return fail(
          node, concat("expected a key of the recipe to remove, found none called '",
                       printable(words.front()), "'", did_you_mean(words.front(), keys_of(*node))));
    }
    auto copy = std::make_shared<YamlNode>(*node);
    const auto at = copy->entries.begin() + (entry - node->entries.data());
    if (words.size() == 1) {
      copy->entries.erase(at);
    } else {
      at->value = without(entry->value, words.subspan(1));
    }
    return copy;
  }

  YamlPtr without_item(const YamlPtr& node, std::span<const std::string> words) {
    const auto index = parse_index(words.front());
    if (!index || *index >= node->items.size()) {
      return fail(node, concat("expected a position below ", node->items.size(), ", found ",
                               printable(words.front())));
    }
    auto copy = std::make_shared<YamlNode>(*node);
    const auto at = copy->items.begin() + static_cast<std::ptrdiff_t>(*index);
    if (words.size() == 1) {
      copy->items.erase(at);
    } else {
      *at = without(node->items[*index], words.subspan(1));
    }
    return copy;
  }

  Place place_;
  std::string path_;
  const OverrideNames& names_;
  RecipeErrors& errors_;
};

}  // namespace

FoundKey find_key(const YamlPtr& root, std::string_view path, const OverrideNames& names) {
  const KeyPath full = complete(*root, path, names, kRefer);
  if (!full.mistake.empty()) return {nullptr, full.mistake};
  YamlPtr node = root;
  for (const std::string& word : full.words) {
    if (node->kind == Kind::kList) {
      const auto index = parse_index(word);
      if (!index || *index >= node->items.size()) {
        return {nullptr, concat("expected a position below ", node->items.size(), ", found ",
                                printable(word))};
      }
      node = node->items[*index];
    } else if (const YamlNode::Entry* entry = node->find(word)) {
      node = entry->value;
    } else {
      return {nullptr, concat("expected a key that the recipe writes, found none called '",
                              printable(word), "'", did_you_mean(word, keys_of(*node)))};
    }
  }
  return {node, ""};
}

YamlPtr apply_overrides(YamlPtr root, const std::vector<std::string>& overrides,
                        const OverrideNames& names, RecipeErrors& errors) {
  for (size_t i = 0; i < overrides.size(); ++i) {
    const std::string_view text = overrides[i];
    const Place place{0, static_cast<int>(i) + 1};
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos && text.ends_with('~')) {
      root =
          Override(place, std::string(text.substr(0, text.size() - 1)), names, errors).remove(root);
      continue;
    }
    if (equals == std::string_view::npos) {
      errors.add(place, "", "expected key.path=value, found " + printable(text));
      continue;
    }
    Override one(place, std::string(text.substr(0, equals)), names, errors);
    root = one.apply(root, text.substr(equals + 1));
  }
  return root;
}

}  // namespace xkde::recipe
