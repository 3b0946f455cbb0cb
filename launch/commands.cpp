#include "launch/commands.h"

#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "launch/ask/ask.h"
#include "launch/ask/serve.h"
#include "launch/checkpoint_commands.h"
#include "launch/environment_report.h"
#include "launch/estimate.h"
#include "launch/init.h"
#include "launch/recipe_commands.h"
#include "launch/report.h"
#include "launch/run_recipe.h"
#include "launch/shell/completion.h"
#include "launch/shell/man_page.h"
#include "launch/show.h"
#include "launch/sweep/sweep.h"
#include "launch/validate.h"
#include "launch/watch/light_watch.h"
#include "stages/pipeline/stage_parsers.h"
#include "stages/recipe/recipe.h"

namespace xkde {
namespace {

/// `xkde_dist completion`
class CompletionCommand : public CliCommand {
 public:
  std::string_view name() const override { return "completion"; }
  std::string_view usage() const override { return "bash | zsh | fish"; }
  std::string_view summary() const override {
    return "a script that makes the shell complete commands, options, recipes, and keys of recipes "
           "with their values";
  }
  std::vector<std::string_view> examples() const override {
    return {"source <(xkde_dist completion bash)",
            "xkde_dist completion fish > ~/.config/fish/completions/xkde_dist.fish"};
  }
  void define(CLI::App& app) override {
    app.add_option("SHELL", shell_, "which one")->check(CLI::IsMember(kShells));
  }
  void check(std::span<const std::string> /*names*/) override {
    XKDE_CHECK(!shell_.empty(), UsageError, "completion: expected bash, zsh or fish, found none");
  }
  bool only_prints() const override { return true; }
  int run() override {
    const ProgramFacts program = program_facts(all_commands({}));
    const std::vector<KeyFacts> keys = keys_of(recipe::Recipe::schema(recipe::kStageParsers));
    print(shell_ == "bash"  ? bash_completion(program, keys)
          : shell_ == "zsh" ? zsh_completion(program, keys)
                            : fish_completion(program, keys));
    return 0;
  }

 private:
  inline static const std::vector<std::string> kShells{"bash", "zsh", "fish"};
  std::string shell_;
};

/// `xkde_dist man`
class ManCommand : public CliCommand {
 public:
  std::string_view name() const override { return "man"; }
  std::string_view usage() const override { return ""; }
  std::string_view summary() const override { return "the manual page, for man(1)"; }
  std::vector<std::string_view> examples() const override {
    return {"xkde_dist man | man -l -", "xkde_dist man > xkde_dist.1"};
  }
  void define(CLI::App& /*app*/) override {}
  bool only_prints() const override { return true; }
  int run() override {
    print(man_page(program_facts(all_commands({}))));
    return 0;
  }
};

}  // namespace

CliCommands all_commands(std::vector<std::string> argv) {
  CliCommands commands;
  commands.push_back(std::make_unique<RunCommand>(argv));
  commands.push_back(std::make_unique<InitCommand>());
  commands.push_back(std::make_unique<ValidateCommand>());
  commands.push_back(std::make_unique<EstimateCommand>());
  commands.push_back(std::make_unique<SweepCommand>());
  commands.push_back(std::make_unique<AskCommand>());
  commands.push_back(std::make_unique<ServeCommand>());
  commands.push_back(std::make_unique<ReportCommand>());
  commands.push_back(std::make_unique<ShowCommand>());
  commands.push_back(std::make_unique<LightWatchCommand>(argv));
  commands.push_back(std::make_unique<RecipesCommand>());
  commands.push_back(std::make_unique<RecipesCopyCommand>());
  commands.push_back(std::make_unique<RecipesShowCommand>());
  commands.push_back(std::make_unique<SchemaCommand>());
  commands.push_back(std::make_unique<CompletionCommand>());
  commands.push_back(std::make_unique<ManCommand>());
  commands.push_back(std::make_unique<EnvCommand>());
  commands.push_back(std::make_unique<CkptLsCommand>());
  commands.push_back(std::make_unique<CkptVerifyCommand>());
  commands.push_back(std::make_unique<CkptExportCommand>());
  return commands;
}

}  // namespace xkde
