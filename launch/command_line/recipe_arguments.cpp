#include "launch/command_line/recipe_arguments.h"

#include <algorithm>
#include <cctype>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "core/text/did_you_mean.h"
#include "stages/recipe/errors.h"

namespace xkde {
namespace {

bool is_override(const std::string& word) {
  const size_t equals = word.find('=');
  return (equals != std::string::npos && equals > 0) || removes_a_key(word);
}

}  // namespace

bool removes_a_key(const std::string& word) {
  const auto is_of_a_path = [](unsigned char letter) {
    return std::isalnum(letter) != 0 || letter == '_' || letter == '.';
  };
  return word.size() > 1 && word.back() == '~' &&
         std::all_of(word.begin(), word.end() - 1, is_of_a_path);
}

std::string in_quotes(const std::string& word) { return "'" + recipe::printable(word) + "'"; }

void RecipeArguments::define(CLI::App& app) {
  app.add_option(
      "RECIPE.yaml", words,
      "the recipe. Each key.path=value behind it sets a key, a later one wins: stages go "
      "by name (sft.max_steps=10), or by position from 0 (stages.1.max_steps=10) where a "
      "name is there twice; lists are written [a,b]. key.path~ removes a key, an item or a stage");
}

void RecipeArguments::check(std::string_view command, std::span<const std::string> names) {
  XKDE_CHECK(!words.empty() && !words.front().empty(), UsageError, command,
             ": expected a recipe, found none");
  const std::string& first = words.front();
  XKDE_CHECK(!is_override(first) || first.ends_with(".yaml"), UsageError, command,
             ": expected a recipe before the overrides, found ", in_quotes(first));
  const std::string meant = did_you_mean(first, {names.begin(), names.end()});
  for (size_t i = 1; i < words.size(); ++i) {
    if (is_override(words[i])) continue;
    // "xkde_dist valdate recipe.yaml" reads as a recipe and a word too many.
    const std::string hint = i == 1 ? meant : "";
    throw UsageError(concat(command, ": expected key.path=value after the recipe, found ",
                            in_quotes(words[i]), hint));
  }
  const bool is_a_word = first.find_first_of("./") == first.npos;
  XKDE_CHECK(meant.empty() || !is_a_word || is_there(first, FileOrigin::kInput), UsageError,
             "expected a command or a recipe, found ", in_quotes(first), meant);
  recipe = first;
  overrides.assign(words.begin() + 1, words.end());
}

}  // namespace xkde
