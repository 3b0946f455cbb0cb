#ifndef XKDE_TESTS_STAGES_RECIPE_RECIPE_TEXT_H_
#define XKDE_TESTS_STAGES_RECIPE_RECIPE_TEXT_H_

#include <exception>
#include <string>
#include <vector>

#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The shortest recipe that builds data, trains, evaluates and exports.
inline const char* const kSmallRecipe = R"(run_name: small
model:
  model_name_or_path: models/tiny
stages:
  - build_data:
      sources:
        - benchmark: mzsre
          data: data/train
          edit_languages: [en]
          test_languages: [es, fr]
  - sft: {}
  - evaluate:
      benchmark: bmike53
      data: data/test
      edit_languages: [en]
      test_languages: [de]
  - export:
      path: out/model
)";

/// What reading `text` as a file `name` says, "" when it says nothing.
inline std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {},
                            const std::string& name = "r.yaml") {
  try {
    parse_recipe(text, name, kStageParsers, overrides);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

/// `text` with the only occurrence of `part` replaced; "" when it is not there just once.
inline std::string with(std::string text, const std::string& part, const std::string& by) {
  const size_t found = text.find(part);
  if (found == std::string::npos || text.find(part, found + 1) != std::string::npos) return "";
  return text.replace(found, part.size(), by);
}

}  // namespace xkde::recipe

#endif  // XKDE_TESTS_STAGES_RECIPE_RECIPE_TEXT_H_
