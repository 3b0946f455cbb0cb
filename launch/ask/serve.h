#ifndef XKDE_LAUNCH_ASK_SERVE_H_
#define XKDE_LAUNCH_ASK_SERVE_H_

#include <string_view>
#include <vector>

#include "launch/ask/model_arguments.h"
#include "launch/command_line/cli_command.h"
#include "stages/serve/server.h"

namespace xkde {

/// `xkde_dist serve`
class ServeCommand : public CliCommand {
 public:
  ServeCommand() { asked.options.is_read_only = true; }
  std::string_view name() const override { return "serve"; }
  std::string_view usage() const override {
    return "RECIPE.yaml | --model MODEL [--facts FILE] [--port N] [--host ADDRESS] "
           "[key.path=value ...]";
  }
  std::string_view summary() const override;
  std::vector<std::string_view> examples() const override;
  void define(CLI::App& app) override;
  void check(std::span<const std::string> names) override;
  /// It does more, but below mpirun one process does it for all here too.
  bool only_prints() const override { return true; }
  int run() override;

  ModelArguments asked;
  serve::ServeOptions options;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_SERVE_H_
