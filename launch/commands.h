#ifndef XKDE_LAUNCH_COMMANDS_H_
#define XKDE_LAUNCH_COMMANDS_H_

#include <string>
#include <vector>

#include "launch/command_line/command_line.h"

namespace xkde {

/// The table of commands: the only list of them, in the order of the help text. `argv`: the whole
/// command line.
CliCommands all_commands(std::vector<std::string> argv);

}  // namespace xkde

#endif  // XKDE_LAUNCH_COMMANDS_H_
