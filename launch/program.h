#ifndef XKDE_LAUNCH_PROGRAM_H_
#define XKDE_LAUNCH_PROGRAM_H_

#include <functional>

#include "launch/command_line/command_line.h"

namespace xkde {

/// What main does: runs the one of `commands` that the command line asks for, heeds the signals to
/// stop, and tells an error in a line on standard error. Returns the exit code.
int run_program(int argc, char** argv, const std::function<CliCommands()>& commands);

}  // namespace xkde

#endif  // XKDE_LAUNCH_PROGRAM_H_
