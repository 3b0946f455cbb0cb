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

/// One override on its way into the tree.
class Override {
 public:
  Override(Place place, std::string path, const OverrideNames& names, RecipeErrors& errors)
      : place_(place), path_(std::move(path)), names_(names), errors_(errors) {}

  YamlPtr apply(const YamlPtr& root, std::string_view text) {
    std::vector<std::string> words = split(path_);
    if (std::find(words.begin(), words.end(), "") != words.end())
      return fail(root, "expected key.path=value, found an empty key");
    if (words.size() > YamlLimits{}.max_depth)
      return fail(root, concat("expected at most ", YamlLimits{}.max_depth, " keys, found more"));
    if (!complete(*root, words)) return root;
    const YamlPtr value = read_yaml_value(text, place_, path_, errors_);
    return with_value(root, words, value);
  }

  YamlPtr remove(const YamlPtr& root) {
    removes_ = true;
    std::vector<std::string> words = split(path_);
    if (std::find(words.begin(), words.end(), "") != words.end())
      return fail(root, "expected key.path~, found an empty key");
    if (!complete(*root, words)) return root;
    // A stage goes with the item of the list that names it.
    if (words.size() == 3 && words.front() == "stages") words.pop_back();
    return without(root, words);
  }

 private:
  YamlPtr fail(const YamlPtr& unchanged, const std::string& what) {
    errors_.add(place_, path_, what);
    return unchanged;
  }

  /// The name of each stage of the recipe, "" where a stage has not the form {name: ...}.
  static std::vector<std::string> stages_of(const YamlNode& root) {
    std::vector<std::string> stages;
    const YamlNode::Entry* entry = root.find("stages");
    if (entry == nullptr) return stages;
    for (const YamlPtr& item : entry->value->items)
      stages.push_back(item->entries.size() == 1 ? item->entries.front().key : "");
    return stages;
  }

  /// Writes the short forms of a path out: from the root, with the number and name of the stage.
  bool complete(const YamlNode& root, std::vector<std::string>& words) {
    const std::vector<std::string> stages = stages_of(root);
    if (words.front() == "stages") return complete_number(stages, words);
    const auto contains = [&words](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), words.front()) != list.end();
    };
    if (contains(stages)) return complete_name(stages, words);
    if (contains(names_.root_keys)) return true;
    std::vector<std::string> known = names_.root_keys;
    for (const std::string& stage : stages) {
      if (!stage.empty()) known.push_back(stage);
    }
    if (contains(names_.stage_names)) {
      errors_.add(place_, path_,
                  "expected a stage of this recipe, found none named '" + words.front() + "'");
    } else {
      const std::string hint = did_you_mean(words.front(), known);
      errors_.add(
          place_, path_,
          hint.empty() ? "unknown key; expected " + alternatives(known) : "unknown key" + hint);
    }
    return false;
  }

  bool complete_number(const std::vector<std::string>& stages, std::vector<std::string>& words) {
    if (removes_ && words.size() == 1) return true;
    const auto index = words.size() > (removes_ ? 1U : 2U) ? parse_index(words[1]) : std::nullopt;
    if (!index) {
      errors_.add(place_, path_, "expected stages.N.key=value with N from 0");
      return false;
    }
    if (*index >= stages.size()) {
      errors_.add(place_, path_,
                  concat("expected a stage below ", stages.size(), ", found ", *index));
      return false;
    }
    const std::string& name = stages[*index];
    if (words.size() > 2 && !name.empty() && words[2] != name)
      words.insert(words.begin() + 2, name);
    return true;
  }

  bool complete_name(const std::vector<std::string>& stages, std::vector<std::string>& words) {
    std::vector<std::string> forms;
    std::string number;
    for (size_t i = 0; i < stages.size(); ++i) {
      if (stages[i] != words.front()) continue;
      number = std::to_string(i);
      forms.push_back("stages." + number + "." + path_ + (removes_ ? "~" : ""));
    }
    if (forms.size() > 1) {
      errors_.add(place_, path_,
                  concat("expected one stage '", words.front(), "', found ", forms.size(),
                         "; write ", alternatives(forms)));
      return false;
    }
    words.insert(words.begin(), {"stages", number});
    return true;
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
      std::vector<std::string> known;
      for (const YamlNode::Entry& other : node->entries) known.push_back(other.key);
      return fail(node, concat("expected a key of the recipe to remove, found none called '",
                               printable(words.front()), "'", did_you_mean(words.front(), known)));
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
  bool removes_ = false;
  const OverrideNames& names_;
  RecipeErrors& errors_;
};

}  // namespace

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
