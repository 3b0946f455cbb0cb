#ifndef XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
#define XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// The inputs that a stage names, none of them opened. Keys lead from the stage.
std::vector<NamedPath> inputs_of(const Stage& stage);
/// The inputs that the recipe names, the model's first, and the paths that it says to write, the
/// run's folder first. Keys lead from the top of the recipe. Nothing is opened.
std::vector<NamedPath> inputs_of(const Recipe& recipe);
std::vector<NamedPath> outputs_of(const Recipe& recipe);

/// Reads a model beyond "it is there and can be opened", and returns the tokens of its context.
/// Throws an xkde::Error where it is bad.
using ModelCheck = std::function<int64_t(const std::filesystem::path& model)>;

/// Looks at the value of a key that only the model can judge; `key` leads from the top of the
/// recipe. Throws an xkde::Error where it is bad.
struct KeyCheck {
  std::string key;
  std::function<void()> check;
};

/// Looks at a path that the recipe says to write. Throws an xkde::Error where it must not.
using OutputCheck = std::function<void(const NamedPath& output)>;

/// Looks at what only the model and the data together can tell of a stage of the recipe. Throws an
/// xkde::Error where it is bad.
using StageCheck = std::function<void(size_t stage)>;

/// Opens and reads every input that the recipe names: the model, then `of_model` where it is sound,
/// and what each stage checks; what is read stays in `files`. Then looks at its outputs, where
/// `check_output` is given, and at each stage by `check_stage`, where nothing else is wrong.
/// `check_model` is not called where the model is missing. Throws one error with a line
/// "file:line:column: path: expected ..., found ..." per fault; its type is MissingInputError if
/// anything is missing, else that of the first fault.
void validate_inputs(const Recipe& recipe, LoadedData& files, const ModelCheck& check_model,
                     const OutputCheck& check_output = {},
                     const std::vector<KeyCheck>& of_model = {},
                     const StageCheck& check_stage = {});

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
