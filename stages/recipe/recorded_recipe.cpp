#include "stages/recipe/recorded_recipe.h"

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

/// The tree with every text that is `from`, or a path in it, in `to`; a run's name is no path.
YamlPtr moved(const YamlPtr& node, const std::string& from, const std::string& to) {
  auto copy = std::make_shared<YamlNode>(*node);
  if (copy->is_scalar() && (copy->text == from || copy->text.starts_with(from + "/")))
    copy->text = to + copy->text.substr(from.size());
  for (YamlPtr& item : copy->items) item = moved(item, from, to);
  for (YamlNode::Entry& entry : copy->entries) {
    if (entry.key != kRunNameKey) entry.value = moved(entry.value, from, to);
  }
  return copy;
}

}  // namespace

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
