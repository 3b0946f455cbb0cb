#include <csignal>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/failure.h"

namespace xkde {
namespace {

int dispatch(int argc, char** argv) {
  const CliCommands commands = all_commands({argv, argv + argc});
  const ParsedCommandLine line = parse_command_line(commands, argc, argv);
  if (line.command != nullptr) return line.command->run();
  print(line.text);
  return static_cast<int>(ExitCode::kDone);
}

/// The exit code of `act`; an error is one line on standard error.
template <typename Act>
int exit_code_of(const Act& act) {
  try {
    return act();
  } catch (...) {
    const Failure failure = describe_current_exception();
    log::error(failure.kind, failure.message);
    return failure.exit_code;
  }
}

}  // namespace
}  // namespace xkde

int main(int argc, char** argv) {
  xkde::hold_standard_streams();
  const int code = xkde::exit_code_of([&] { return xkde::dispatch(argc, argv); });
  const int lost = xkde::exit_code_of([] {
    xkde::finish_output();
    return 0;
  });
  return code != 0 ? code : lost;
}
