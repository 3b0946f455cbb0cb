#ifndef XKDE_LAUNCH_VALIDATE_H_
#define XKDE_LAUNCH_VALIDATE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"
#include "stages/pipeline/stage_places.h"

namespace xkde {

/// Reads a recipe strictly, opens every input that it names and looks at where it would write; all
/// mistakes at once, as one error. Where there is none and `changed` is kRefuse, it throws what a
/// start would be refused with for stages that have changed since they were begun (check_places).
/// Returns the line to print when there is none. Needs neither MPI nor a GPU.
std::string validate_recipe(const std::filesystem::path& recipe,
                            const std::vector<std::string>& overrides,
                            recipe::ChangedStages changed);

/// `xkde_dist validate`
class ValidateCommand : public CliCommand {
 public:
  std::string_view name() const override { return "validate"; }
  std::string_view usage() const override { return RecipeArguments::kUsage; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override { arguments.define(app); }
  void check(std::span<const std::string>) override { arguments.check(name()); }
  bool only_prints() const override { return true; }
  int run() override;

  RecipeArguments arguments;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_VALIDATE_H_
