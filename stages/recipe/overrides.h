#ifndef XKDE_STAGES_RECIPE_OVERRIDES_H_
#define XKDE_STAGES_RECIPE_OVERRIDES_H_

#include <string>
#include <string_view>
#include <vector>

#include "stages/recipe/errors.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// The first words that an override may begin with.
struct OverrideNames {
  std::vector<std::string> root_keys;
  std::vector<std::string> stage_names;  ///< all that recipes know, whether in this one or not
};

/// The value that a path such as "sft.learning_rate" leads to, or why it leads to none.
struct FoundKey {
  YamlPtr value;        ///< null where there is a mistake
  std::string mistake;  ///< "expected ..., found ..."
};

/// Looks up a path of the form that overrides have.
FoundKey find_key(const YamlPtr& root, std::string_view path, const OverrideNames& names);

/// The tree with each `key.path=value` set and the key of each `key.path~` removed, in order: a
/// later one wins. A key, an item of a list or a stage that is to go must be there. A path begins
/// with a key of the recipe, with the name of a stage that it has once ("sft.learning_rate"), or
/// with "stages.N" (N from 0, the stage's name may follow or not); positions of a list are numbers.
/// Values are read by read_yaml_value and have the place of the command line, so that whoever reads
/// the tree checks them like those of the file. Paths that lead nowhere are added to `errors`.
YamlPtr apply_overrides(YamlPtr root, const std::vector<std::string>& overrides,
                        const OverrideNames& names, RecipeErrors& errors);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_OVERRIDES_H_
