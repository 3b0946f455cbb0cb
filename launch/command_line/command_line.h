#ifndef XKDE_LAUNCH_COMMAND_LINE_COMMAND_LINE_H_
#define XKDE_LAUNCH_COMMAND_LINE_COMMAND_LINE_H_

#include <memory>
#include <string>
#include <vector>

#include "launch/command_line/cli_command.h"
#include "launch/shell/program_facts.h"

namespace xkde {

/// All commands of the program. The first is the one without a name.
using CliCommands = std::vector<std::unique_ptr<CliCommand>>;

/// What a command line asks for: a command whose words are bound and checked, or a text to print.
struct ParsedCommandLine {
  CliCommand* command = nullptr;  ///< one of those given
  std::string text;               ///< help or version, where `command` is null
};

/// Reads the command line; argv[0] is passed over, files are not opened. `--help` behind a command
/// gives that command's help, and so does `help` before it. Throws UsageError, one line with a
/// hint.
ParsedCommandLine parse_command_line(const CliCommands& commands, int argc,
                                     const char* const* argv);

/// All that there is to say about the program and its commands, for texts.
ProgramFacts program_facts(const CliCommands& commands);

/// What `--help` prints: usage, commands, examples, exit codes. At most 80 columns.
std::string help_text(const CliCommands& commands);
/// What `--help` behind the command prints. At most 80 columns, but for usage and examples.
std::string help_text(CliCommand& command);
/// "xkde_dist 0.1.0".
std::string version_text();

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMAND_LINE_COMMAND_LINE_H_
