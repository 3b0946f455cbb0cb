#ifndef XKDE_LAUNCH_REPORT_H_
#define XKDE_LAUNCH_REPORT_H_

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"

namespace xkde {

/// `xkde_dist report`
class ReportCommand : public CliCommand {
 public:
  std::string_view name() const override { return "report"; }
  std::string_view usage() const override { return "RUN [RUN ...] [--out FILE]"; }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  int run() override;

  std::vector<std::filesystem::path> runs;
  std::filesystem::path out;  ///< of several runs; empty: report.html in the current folder
};

/// Writes the page and the CSV files, returns the results as text in lines of at most `most`
/// columns and where the page is. Throws as report::read_run does, IoError, and ConfigError where
/// the page of several runs or its table would replace what no report wrote.
std::string report_runs(const ReportCommand& command, size_t most);

}  // namespace xkde

#endif  // XKDE_LAUNCH_REPORT_H_
