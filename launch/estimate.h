#ifndef XKDE_LAUNCH_ESTIMATE_H_
#define XKDE_LAUNCH_ESTIMATE_H_

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"

namespace xkde {

/// What a run of the recipe on `ranks` ranks would do, hold and take, as text: stages, tokens, the
/// layout of the shards, a rank's bytes by kind, the time of a step by part. `machine` is "here"
/// (all ranks on the CPU of this host, whose speed is measured) or a preset of GPU nodes. Throws
/// what a run would throw before it starts: a recipe that does not fit is a ConfigError.
std::string estimate_recipe(const std::filesystem::path& recipe, int ranks,
                            const std::string& machine, const std::vector<std::string>& overrides);
/// The same as what the run asks SLURM for: the first lines of a script (launch/slurm_request.h).
std::string slurm_estimate(const std::filesystem::path& recipe, int ranks,
                           const std::string& machine, const std::vector<std::string>& overrides);

/// The seconds that the steps of the recipe's first training take, predicted in the same way;
/// nothing where no stage trains. Throws as estimate_recipe() does.
std::optional<double> training_seconds(const std::filesystem::path& recipe, int ranks,
                                       const std::string& machine);
/// "12 ms", "5.00 s", "700 s".
std::string in_time(double seconds);

/// `xkde_dist estimate`
class EstimateCommand : public CliCommand {
 public:
  std::string_view name() const override { return "estimate"; }
  std::string_view usage() const override {
    return "RECIPE.yaml [-n N] [--machine NAME] [--slurm] [key.path=value ...]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string>) override { arguments.check(name()); }
  bool only_prints() const override { return true; }
  int run() override;

  RecipeArguments arguments;
  int ranks = 1;
  std::string machine = "here";  ///< or a preset of GPU nodes
  bool slurm = false;            ///< only lines for a SLURM script
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_ESTIMATE_H_
