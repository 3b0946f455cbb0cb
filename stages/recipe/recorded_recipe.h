#ifndef XKDE_STAGES_RECIPE_RECORDED_RECIPE_H_
#define XKDE_STAGES_RECIPE_RECORDED_RECIPE_H_

#include <string>
#include <vector>

#include "stages/recipe/yaml_reader.h"

namespace xkde::recipe {

/// The recipe within `root`, where that is what a run wrote of itself (run.json); else `root`.
/// Where `overrides` name another output_dir, whatever the recipe puts into the old one goes there
/// too: a second run replaces nothing of the first.
YamlPtr recorded_recipe(const YamlPtr& root, const std::vector<std::string>& overrides);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECORDED_RECIPE_H_
