#ifndef XKDE_LAUNCH_ASK_MODEL_ARGUMENTS_H_
#define XKDE_LAUNCH_ASK_MODEL_ARGUMENTS_H_

#include <string_view>

#include "launch/command_line/recipe_arguments.h"
#include "stages/ask/ask_options.h"

namespace xkde {

/// "RECIPE.yaml | --model MODEL", and which facts stand before it: what commands that answer
/// questions begin with.
struct ModelArguments {
  RecipeArguments arguments;
  ask::AskOptions options;

  void define(CLI::App& app);
  /// Whether the first word is a recipe.
  bool has_recipe() const { return options.model.empty() && !arguments.words.empty(); }
  /// Parts the words that are left. `command` begins the messages. Throws UsageError.
  void check(std::string_view command);
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_MODEL_ARGUMENTS_H_
