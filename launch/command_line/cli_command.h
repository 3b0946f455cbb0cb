#ifndef XKDE_LAUNCH_COMMAND_LINE_CLI_COMMAND_H_
#define XKDE_LAUNCH_COMMAND_LINE_CLI_COMMAND_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace xkde {

/// One command of the program. It has a file of its own and a line in commands.cpp. The parser, the
/// help texts and "did you mean" know a command by this interface only.
class CliCommand {
 public:
  virtual ~CliCommand() = default;
  /// The words that call it: "validate", "ckpt ls". Empty for the command that runs a recipe.
  virtual std::string_view name() const = 0;
  /// What follows the name in a usage line.
  virtual std::string_view usage() const = 0;
  /// What it does, in a sentence or three, without line breaks.
  virtual std::string_view summary() const = 0;
  /// Whole command lines, at least one.
  virtual std::vector<std::string_view> examples() const = 0;
  /// Binds the command's words and options to its members, each with a description.
  virtual void define(CLI::App& app) = 0;
  /// Looks at what was bound. `names` are those of all commands. Throws UsageError.
  virtual void check(std::span<const std::string> /*names*/) {}
  /// Whether it looks for requests to stop (core/base/stop_signals.h). The signals end others.
  virtual bool heeds_stops() const { return false; }
  /// Whether it does nothing but print: below mpirun the first process does it for all.
  virtual bool only_prints() const { return false; }
  /// Does it and returns the exit code. Throws xkde::Error.
  virtual int run() = 0;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_CLI_COMMAND_H_
