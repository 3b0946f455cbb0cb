#ifndef XKDE_LAUNCH_WATCH_WATCH_H_
#define XKDE_LAUNCH_WATCH_WATCH_H_

#include <filesystem>
#include <string_view>
#include <vector>

#include "launch/command_line/cli_command.h"

namespace xkde {

/// `xkde_dist watch`
class WatchCommand : public CliCommand {
 public:
  std::string_view name() const override { return "watch"; }
  std::string_view usage() const override { return "RUN [--once] [--every SECONDS]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  bool only_prints() const override { return true; }
  bool heeds_stops() const override { return true; }
  int run() override;

  std::filesystem::path folder;
  bool once = false;
  double every = 2.0;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_WATCH_WATCH_H_
