#ifndef XKDE_LAUNCH_RUN_RECIPE_H_
#define XKDE_LAUNCH_RUN_RECIPE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"
#include "stages/pipeline/stage_places.h"

namespace xkde {

/// `xkde_dist RECIPE.yaml`: runs the recipe's stages on all ranks that mpirun or srun started.
class RunCommand : public CliCommand {
 public:
  /// `argv`: the whole command line, for run.json.
  explicit RunCommand(std::vector<std::string> argv = {}) : argv_(std::move(argv)) {}

  std::string_view name() const override { return ""; }
  std::string_view usage() const override {
    return "RECIPE.yaml [--fresh] [--dry-run [--show-samples N]] [key.path=value ...]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool heeds_stops() const override { return !dry_run; }
  bool only_prints() const override { return dry_run; }
  /// Errors are caught while MPI is still up: a rank that fails ends the others.
  int run() override;

  recipe::ChangedStages changed_stages() const;

  RecipeArguments arguments;
  bool fresh = false;  ///< what stages would not go on with is set aside
  bool dry_run = false;
  int64_t shown_samples = 0;

 private:
  /// A dry run.
  int rehearse() const;

  std::vector<std::string> argv_;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_RUN_RECIPE_H_
