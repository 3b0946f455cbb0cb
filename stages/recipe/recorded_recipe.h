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

/// The recipe `root` as a run of another name, in the folder `output`. Whatever it puts into its
/// output_dir goes there too. `old_output` is that folder where the recipe does not name it.
YamlPtr as_another_run(const YamlPtr& root, const std::string& old_output,
                       const std::string& run_name, const std::string& output);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECORDED_RECIPE_H_
