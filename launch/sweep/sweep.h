#ifndef XKDE_LAUNCH_SWEEP_SWEEP_H_
#define XKDE_LAUNCH_SWEEP_SWEEP_H_

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"
#include "launch/sweep/grid.h"

namespace xkde {

/// `xkde_dist sweep`
class SweepCommand : public CliCommand {
 public:
  std::string_view name() const override { return "sweep"; }
  std::string_view usage() const override {
    return "RECIPE.yaml key.path=value,value ... [--out FOLDER] [--dry-run]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  RecipeArguments arguments;
  std::filesystem::path folder;  ///< to make; empty: the recipe's name with "-sweep"
  bool only_checks = false;      ///< and writes nothing
  std::optional<Grid> grid;      ///< of the overrides, once they are checked
};

/// Reads the recipe at every point of the grid, and writes each as a recipe of its own into the
/// command's folder: all or none. A recipe has the values that were written, without comments, and
/// a run's name and folder that no other has. Paths start where they did. Returns the table of the
/// points and how to run them. Throws ConfigError naming the point that is refused, UsageError
/// where two points are equal, IoError where something has a name already: nothing is replaced.
std::string make_sweep(const SweepCommand& command);

}  // namespace xkde

#endif  // XKDE_LAUNCH_SWEEP_SWEEP_H_
