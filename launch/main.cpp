#include "core/base/log.h"
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
  return 0;
}

}  // namespace
}  // namespace xkde

int main(int argc, char** argv) {
  try {
    return xkde::dispatch(argc, argv);
  } catch (...) {
    const xkde::Failure failure = xkde::describe_current_exception();
    xkde::log::error(failure.kind, failure.message);
    return failure.exit_code;
  }
}
