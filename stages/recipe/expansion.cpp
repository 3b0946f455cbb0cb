#include "stages/recipe/expansion.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "core/base/error.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kOpen = "${", kKept = "$${";
constexpr std::string_view kLetters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";

bool is_variable(std::string_view name) {
  const bool begins_well = !name.empty() && (name.front() < '0' || name.front() > '9');
  return begins_well && name.find_first_not_of(kLetters) == name.npos;
}

bool begins_at_home(std::string_view path) { return path == "~" || path.starts_with("~/"); }

/// Appends the value of a variable.
void add_variable(std::string_view name, ExpandedPath& path) {
  const char* const value = std::getenv(std::string(name).c_str());
  if (value == nullptr) {
    path.mistake = concat("expected an environment variable ", name, ", found none of that name");
  } else {
    path.text += value;
  }
}

using Kind = YamlNode::Kind;

/// A text's next "${...}" from `begin`; `name` is what stands within, empty where there is none.
struct Mark {
  size_t begin = 0;
  size_t end = 0;  ///< behind the brace
  std::string_view name;
};

Mark next_mark(std::string_view text, size_t begin) {
  while (true) {
    begin = text.find(kOpen, begin);
    const size_t end = text.find('}', begin == text.npos ? text.size() : begin);
    if (end == text.npos) return {};
    const bool is_kept = begin > 0 && text[begin - 1] == '$';
    if (!is_kept) {
      const size_t name = begin + kOpen.size();
      return {begin, end + 1, text.substr(name, end - name)};
    }
    begin += kOpen.size();
  }
}

/// Goes through a tree and replaces references in it.
class References {
 public:
  References(const YamlPtr& root, const OverrideNames& names, RecipeErrors& errors)
      : root_(root), names_(names), errors_(errors) {}

  YamlPtr resolve(const YamlPtr& node, const std::string& path) {
    if (const auto known = resolved_.find(node.get()); known != resolved_.end())
      return known->second;
    YamlPtr result = node;
    if (node->is_scalar()) {
      result = resolve_text(node, path);
    } else if (!node->items.empty() || !node->entries.empty()) {
      result = resolve_below(*node, path);
    }
    resolved_[node.get()] = result;
    return result;
  }

 private:
  static std::string below(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + "." + key;
  }

  YamlPtr resolve_below(const YamlNode& node, const std::string& path) {
    auto copy = std::make_shared<YamlNode>(node);
    for (size_t i = 0; i < copy->items.size(); ++i) {
      const YamlPtr item = copy->items[i];
      copy->items[i] = resolve(item, below(path, std::to_string(i)));
      // One value of a list is one value: lists of lists could grow without a bound.
      if (item->is_scalar() && copy->items[i]->kind == Kind::kList) {
        fail(*item, below(path, std::to_string(i)),
             "expected one value, found " + item->text + ", " + describe(*copy->items[i]));
        copy->items[i] = item;
      }
    }
    for (YamlNode::Entry& entry : copy->entries)
      entry.value = resolve(entry.value, below(path, entry.key));
    return copy;
  }

  bool is_reference(std::string_view name) const {
    const std::string first(name.substr(0, name.find('.')));
    const auto is_among = [&first](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), first) != list.end();
    };
    return first.size() < name.size() || is_among(names_.root_keys) || is_among(names_.stage_names);
  }

  YamlPtr resolve_text(const YamlPtr& node, const std::string& path) {
    const std::string_view text = node->text;
    std::string result;
    size_t done = 0;
    for (Mark mark = next_mark(text, 0); !mark.name.empty(); mark = next_mark(text, mark.end)) {
      if (!is_reference(mark.name)) continue;
      const YamlPtr value = value_of(*node, path, mark.name);
      if (value == nullptr) return node;
      const bool is_all = mark.begin == 0 && mark.end == text.size();
      if (is_all) {
        auto copy = std::make_shared<YamlNode>(*value);
        copy->place = node->place;
        return copy;
      }
      if (!value->is_scalar()) {
        fail(*node, path,
             concat("expected one value within a text, found ${", mark.name, "}, ",
                    describe(*value)));
        return node;
      }
      result.append(text.substr(done, mark.begin - done)).append(value->text);
      done = mark.end;
      if (result.size() > YamlLimits{}.max_text_bytes) {
        fail(*node, path,
             concat("expected a text of at most ", YamlLimits{}.max_text_bytes,
                    " bytes, found more behind ${", mark.name, "}"));
        return node;
      }
    }
    if (done == 0) return node;
    auto copy = std::make_shared<YamlNode>(*node);
    copy->text = result.append(text.substr(done));
    return copy;
  }

  /// The value that a reference of `node` stands for, or null after adding what is wrong.
  YamlPtr value_of(const YamlNode& node, const std::string& path, std::string_view name) {
    const FoundKey found = find_key(root_, name, names_);
    if (found.value == nullptr) {
      fail(node, path, concat("${", printable(name), "}: ", found.mistake));
      return nullptr;
    }
    if (found.value->kind == Kind::kMap || found.value->kind == Kind::kNull) {
      fail(node, path,
           concat("expected ${", name, "} to lead to a value or a list, found ",
                  describe(*found.value)));
      return nullptr;
    }
    const YamlNode* const target = found.value.get();
    if (target == &node || open_.contains(&node) || open_.contains(target)) {
      fail(node, path, concat("expected no way from ${", name, "} back to itself, found one"));
      return nullptr;
    }
    if (open_.size() >= YamlLimits{}.max_depth) {
      fail(node, path,
           concat("expected at most ", YamlLimits{}.max_depth,
                  " references one behind the other, "
                  "found more"));
      return nullptr;
    }
    open_.insert(&node);
    const YamlPtr value = resolve(found.value, std::string(name));
    open_.erase(&node);
    return value;
  }

  /// "sft.max_steps" for "stages.1.sft.max_steps" where the recipe has one such stage.
  std::string short_path(const std::string& path) const {
    constexpr std::string_view kStages = "stages.";
    const size_t name = path.starts_with(kStages) ? path.find('.', kStages.size()) : path.npos;
    if (name == path.npos) return path;
    const std::string rest = path.substr(name + 1);
    const auto& stages = root_->find("stages")->value->items;
    const auto is_named = [&rest](const YamlPtr& stage) {
      return stage->find(rest.substr(0, rest.find('.'))) != nullptr;
    };
    return std::count_if(stages.begin(), stages.end(), is_named) == 1 ? rest : path;
  }

  void fail(const YamlNode& node, const std::string& path, const std::string& what) {
    if (failed_.insert(&node).second) errors_.add_last(node.place, short_path(path), what);
  }

  const YamlPtr& root_;
  const OverrideNames& names_;
  RecipeErrors& errors_;
  std::map<const YamlNode*, YamlPtr> resolved_;
  std::set<const YamlNode*> open_;  ///< texts whose references are being looked up
  std::set<const YamlNode*> failed_;
};

}  // namespace

YamlPtr resolve_references(const YamlPtr& root, const OverrideNames& names, RecipeErrors& errors) {
  return References(root, names, errors).resolve(root, "");
}

ExpandedPath expand_path(std::string_view text) {
  ExpandedPath path;
  if (begins_at_home(text)) {
    add_variable("HOME", path);
    text.remove_prefix(1);
  }
  while (!text.empty() && path.mistake.empty()) {
    if (text.starts_with(kKept)) {
      path.text += kOpen;
      text.remove_prefix(kKept.size());
    } else if (text.starts_with(kOpen)) {
      const size_t end = text.find('}');
      const std::string_view name = text.substr(0, end).substr(kOpen.size());
      if (end == text.npos || !is_variable(name)) {
        path.mistake = "expected ${NAME} with the name of an environment variable, found " +
                       printable(text.substr(0, end == text.npos ? end : end + 1)) +
                       "; $${ stands for itself";
      } else {
        add_variable(name, path);
        text.remove_prefix(end + 1);
      }
    } else {
      path.text += text.front();
      text.remove_prefix(1);
    }
  }
  return path;
}

std::string unexpanded_path(std::string_view path) {
  std::string text(begins_at_home(path) ? "./" : "");
  while (!path.empty()) {
    if (path.starts_with(kOpen)) text += '$';
    text += path.front();
    path.remove_prefix(1);
  }
  return text;
}

}  // namespace xkde::recipe
