#ifndef XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
#define XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_

#include <filesystem>
#include <functional>

#include "stages/recipe/recipe.h"

namespace xkde::recipe {

/// What to look into beyond "it is there and can be opened". Each throws an xkde::Error, whose text
/// goes into the report. Empty functions are not called, nor is one whose path is missing.
struct InputChecks {
  std::function<void(const std::filesystem::path& model)> model;
  std::function<void(const EditSelection& edits)> edits;
  std::function<void(const EvaluateStage& stage)> evaluation = {};
  std::function<void(const ExcludedData& excluded)> excluded = {};
  std::function<void(const std::filesystem::path& file)> train_data;
};

/// Opens every input that the recipe names: the model, the data of each source and evaluation, the
/// training files. Throws one error with a line "file:line:column: path: expected ..., found ..."
/// per fault; its type is MissingInputError if anything is missing, else that of the first fault.
void validate_inputs(const Recipe& recipe, const InputChecks& checks = {});

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_INPUTS_H_
