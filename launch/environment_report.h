#ifndef XKDE_LAUNCH_ENVIRONMENT_REPORT_H_
#define XKDE_LAUNCH_ENVIRONMENT_REPORT_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "launch/command_line/cli_command.h"

namespace xkde {

/// Versions of this program and of every library, compiler, processor and memory: for run.json.
Json version_report();

/// The same as lines of "name: value", to be pasted into a bug report.
std::string environment_text();

/// `xkde_dist env`
class EnvCommand : public CliCommand {
 public:
  std::string_view name() const override { return "env"; }
  std::string_view usage() const override { return ""; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& /*app*/) override {}
  bool only_prints() const override { return true; }
  int run() override;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_ENVIRONMENT_REPORT_H_
