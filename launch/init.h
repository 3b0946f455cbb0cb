#ifndef XKDE_LAUNCH_INIT_H_
#define XKDE_LAUNCH_INIT_H_

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "launch/command_line/cli_command.h"

namespace xkde {

/// `xkde_dist init`
class InitCommand : public CliCommand {
 public:
  std::string_view name() const override { return "init"; }
  std::string_view usage() const override { return "NAME [--model MODEL]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  std::filesystem::path folder;
  std::filesystem::path model;  ///< empty: the one that the set-up of this program brings
};

/// Makes the command's folder with recipe.yaml and facts.jsonl: recipes/own_facts.yaml with the
/// folder's names, and the first ten of its facts. Both are there or neither. Returns what to do
/// next. Of a model without a chat template the recipe says chat_template: plain. Throws IoError
/// where there is something already: nothing is replaced. Throws as open_pretrained() where the
/// model is there and cannot be opened.
std::string make_project(const InitCommand& command);

}  // namespace xkde

#endif  // XKDE_LAUNCH_INIT_H_
