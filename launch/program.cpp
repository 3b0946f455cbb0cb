#include "launch/program.h"

#include <cstdlib>
#include <exception>
#include <string_view>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "launch/failure.h"

namespace xkde {
namespace {

/// Whether mpirun or srun started this process beside a first one.
bool is_beside_a_first() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* const rank = std::getenv(name)) return std::string_view(rank) != "0";
  }
  return false;
}

int dispatch(int argc, char** argv, const CliCommands& commands) {
  const ParsedCommandLine line = parse_command_line(commands, argc, argv);
  if (line.command == nullptr || !line.command->heeds_stops()) restore_stop_signals();
  const bool only_prints = line.command == nullptr || line.command->only_prints();
  if (only_prints && is_beside_a_first()) return static_cast<int>(ExitCode::kDone);
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

/// What nobody can catch, such as an error of a destructor or of a thread, is one line too.
[[noreturn]] void end_with_a_line() {
  const int code = exit_code_of([]() -> int {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    throw InternalError("ended without an error that could be told");
  });
  std::_Exit(code);
}

}  // namespace

int run_program(int argc, char** argv, const std::function<CliCommands()>& commands) {
  std::set_terminate(end_with_a_line);
  install_stop_signals();
  hold_standard_streams();
  const int code = exit_code_of([&] { return dispatch(argc, argv, commands()); });
  const int lost = exit_code_of([] {
    finish_output();
    return 0;
  });
  return code != 0 ? code : lost;
}

}  // namespace xkde
