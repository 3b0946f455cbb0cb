#ifndef XKDE_LAUNCH_SHOW_H_
#define XKDE_LAUNCH_SHOW_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "stages/report/shown_edits.h"

namespace xkde {

/// `xkde_dist show`
class ShowCommand : public CliCommand {
 public:
  std::string_view name() const override { return "show"; }
  std::string_view usage() const override { return "RUN [--wrong] [--lang LANG] [--record N]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  int run() override;

  std::filesystem::path folder;
  report::ShownQuestions shown;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_SHOW_H_
