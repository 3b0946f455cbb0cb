#include "stages/recipe/recorded_recipe.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>

namespace xkde::recipe {
namespace {

constexpr std::string_view kOutput = "output_dir";
constexpr std::string_view kRunNameKey = "run_name";

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

/// What the last override of output_dir says; empty where none does, or is no plain text.
std::string new_output(const std::vector<std::string>& overrides) {
  const std::string begin = std::string(kOutput) + "=";
  std::string found;
  for (const std::string& one : overrides) {
    if (!one.starts_with(begin)) continue;
    RecipeErrors errors("command line");  // the reader of overrides tells them
    const YamlPtr value = read_yaml_value(one.substr(begin.size()), {}, "", errors);
    found = value->is_scalar() ? value->text : "";
  }
  return without_slash(found);
}

/// The tree with every text that is the path `from`, or a path in it, in `to`. A run's name is no
/// path, nor is another word that a folder without a slash is called by ("mzsre").
YamlPtr moved(const YamlPtr& node, const std::string& from, const std::string& to) {
  auto copy = std::make_shared<YamlNode>(*node);
  const bool is_it = copy->text == from && from.find('/') != from.npos;
  if (copy->is_scalar() && (is_it || copy->text.starts_with(from + "/")))
    copy->text = to + copy->text.substr(from.size());
  for (YamlPtr& item : copy->items) item = moved(item, from, to);
  for (YamlNode::Entry& entry : copy->entries) {
    if (entry.key != kRunNameKey) entry.value = moved(entry.value, from, to);
  }
  return copy;
}

/// Sets a key of the top level. A new one stands at `position`.
void set(YamlNode& root, std::string_view key, const std::string& text, std::ptrdiff_t position) {
  auto value = std::make_shared<YamlNode>();
  value->kind = YamlNode::Kind::kPlain;
  value->text = text;
  const auto found = std::find_if(root.entries.begin(), root.entries.end(),
                                  [key](const YamlNode::Entry& entry) { return entry.key == key; });
  if (found == root.entries.end()) {
    root.entries.insert(root.entries.begin() + position, {std::string(key), {}, value});
  } else {
    found->value = value;
  }
}

}  // namespace

YamlPtr as_another_run(const YamlPtr& root, const std::string& old_output,
                       const std::string& run_name, const std::string& output) {
  const YamlNode::Entry* named = root->find(kOutput);
  const bool is_named = named != nullptr && !named->value->text.empty();
  const std::string from = without_slash(is_named ? named->value->text : old_output);
  auto other = std::make_shared<YamlNode>(*moved(root, from, output));
  set(*other, kRunNameKey, run_name, 0);
  set(*other, kOutput, output, 1);
  return other;
}

YamlPtr recorded_recipe(const YamlPtr& root, const std::vector<std::string>& overrides) {
  const YamlNode::Entry* recipe = root->find("recipe");
  const bool is_record = recipe != nullptr && recipe->value->kind == YamlNode::Kind::kMap &&
                         root->find("exit_reason") != nullptr;
  if (!is_record) return root;
  const YamlNode::Entry* old = recipe->value->find(kOutput);
  const std::string output = new_output(overrides);
  const bool moves = old != nullptr && !old->value->text.empty() && !output.empty();
  return moves ? moved(recipe->value, without_slash(old->value->text), output) : recipe->value;
}

}  // namespace xkde::recipe
