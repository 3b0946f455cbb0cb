#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "core/nn/device_memory.h"
#include "launch/command_line/command_line.h"
#include "launch/commands.h"
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

int dispatch(int argc, char** argv) {
  const CliCommands commands = all_commands({argv, argv + argc});
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

/// Libraries make their tables before main begins. One that gets no memory ends the program there,
/// with a line that takes none.
[[noreturn]] void end_before_main() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    constexpr std::string_view kLine = "MemoryError: out of host memory before the program began\n";
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kLine.data(), kLine.size());
    std::_Exit(static_cast<int>(ExitCode::kOutOfMemory));
  } catch (...) {
    std::abort();
  }
}

void expect_errors_before_main(int /*argc*/, char** /*argv*/, char** /*environment*/) {
  std::set_terminate(end_before_main);
}

/// The loader calls these before any library's initialiser.
[[gnu::section(".preinit_array"),
  gnu::used]] void (*const kFirstOfAll)(int, char**, char**) = expect_errors_before_main;

}  // namespace
}  // namespace xkde

int main(int argc, char** argv) {
  std::set_terminate(xkde::end_with_a_line);
  xkde::install_stop_signals();
  xkde::limit_product_cache();
  xkde::hold_standard_streams();
  const int code = xkde::exit_code_of([&] { return xkde::dispatch(argc, argv); });
  const int lost = xkde::exit_code_of([] {
    xkde::finish_output();
    return 0;
  });
  return code != 0 ? code : lost;
}
