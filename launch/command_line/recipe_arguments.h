#ifndef XKDE_LAUNCH_COMMAND_LINE_RECIPE_ARGUMENTS_H_
#define XKDE_LAUNCH_COMMAND_LINE_RECIPE_ARGUMENTS_H_

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace xkde {

/// "RECIPE.yaml [key.path=value ...]", which several commands begin with.
struct RecipeArguments {
  static constexpr std::string_view kUsage = "RECIPE.yaml [key.path=value ...]";

  std::filesystem::path recipe;
  std::vector<std::string> overrides;  ///< only looked at for their '='

  void define(CLI::App& app);
  /// Parts the words into recipe and overrides. `command` begins the messages; `names`: commands
  /// that the first word may have meant. Throws UsageError.
  void check(std::string_view command, std::span<const std::string> names = {});

  std::vector<std::string> words;  ///< as typed
};

/// Whether a word is "key.path~".
bool removes_a_key(const std::string& word);

/// `word` in quotes, with what no terminal should see made visible.
std::string in_quotes(const std::string& word);

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_RECIPE_ARGUMENTS_H_
