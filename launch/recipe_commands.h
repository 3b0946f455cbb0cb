#ifndef XKDE_LAUNCH_RECIPE_COMMANDS_H_
#define XKDE_LAUNCH_RECIPE_COMMANDS_H_

#include <filesystem>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/command_line/recipe_arguments.h"

namespace xkde {

/// `xkde_dist schema`
class SchemaCommand : public CliCommand {
 public:
  std::string_view name() const override { return "schema"; }
  std::string_view usage() const override { return ""; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& /*app*/) override {}
  bool only_prints() const override { return true; }
  int run() override;
};

/// `xkde_dist recipes`
class RecipesCommand : public CliCommand {
 public:
  std::string_view name() const override { return "recipes"; }
  std::string_view usage() const override { return "[WORD ...] [--time [--machine NAME]]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  std::vector<std::string> words;  ///< that a line must have, in any case
  bool is_timed = false;
  std::string machine = "here";  ///< as of EstimateCommand
};

/// `xkde_dist recipes copy`
class RecipesCopyCommand : public CliCommand {
 public:
  std::string_view name() const override { return "recipes copy"; }
  std::string_view usage() const override { return "NAME [FILE]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  std::string recipe;
  std::filesystem::path file;  ///< or folder; empty: the current folder
};

/// `xkde_dist recipes show`
class RecipesShowCommand : public CliCommand {
 public:
  std::string_view name() const override { return "recipes show"; }
  std::string_view usage() const override { return "NAME [--resolved] [key.path=value ...]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  RecipeArguments arguments;  ///< whose recipe is a name
  bool resolved = false;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_RECIPE_COMMANDS_H_
