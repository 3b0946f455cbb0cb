#ifndef XKDE_STAGES_RECIPE_EXPANSION_H_
#define XKDE_STAGES_RECIPE_EXPANSION_H_

#include <string>
#include <string_view>

#include "stages/recipe/errors.h"
#include "stages/recipe/overrides.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// The tree with the value of a key in place of each ${key.path}, whose path has the form of an
/// override's: "${run_name}", "${sft.learning_rate}". A text that is nothing else takes the value
/// as it stands, a number or a list too; within a longer text, and as an item of a list, it is one
/// value. A ${NAME} that begins with no key of recipes and has no dot is left: expand_path() knows
/// it as a variable. "$${" is left, too. What leads nowhere, to a mapping or back to itself is
/// added to `errors` and stays as written.
YamlPtr resolve_references(const YamlPtr& root, const OverrideNames& names, RecipeErrors& errors);

/// A path as it is meant, or what is wrong with it as it is written.
struct ExpandedPath {
  std::string text;
  std::string mistake;  ///< "expected ..., found ..."; empty: none
};

/// The path with the value of an environment variable in place of each ${NAME}, and the home folder
/// in place of a "~" that is all of it or stands before its first '/'. "$${" is a "${" that stays.
/// Values are taken as they are, and nothing in them is expanded: no variable leads back to itself.
ExpandedPath expand_path(std::string_view text);

/// A text that expand_path() makes this path of.
std::string unexpanded_path(std::string_view path);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_EXPANSION_H_
