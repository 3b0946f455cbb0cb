#ifndef XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
#define XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_

#include <cstdint>
#include <filesystem>
#include <functional>

#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// Reads a model beyond "it is there and can be opened", and returns the tokens of its context.
/// Throws an xkde::Error where it is bad.
using ModelCheck = std::function<int64_t(const std::filesystem::path& model)>;

/// Opens and reads every input that the recipe names: the model, and what each stage checks.
/// `check_model` is not called where the model is missing. Throws one error with a line
/// "file:line:column: path: expected ..., found ..." per fault; its type is MissingInputError if
/// anything is missing, else that of the first fault.
void validate_inputs(const Recipe& recipe, const ModelCheck& check_model);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
