#include <cstdlib>
#include <exception>
#include <new>
#include <string_view>

#include <unistd.h>

#include "core/base/error.h"
#include "core/nn/device_memory.h"
#include "launch/commands.h"
#include "launch/program.h"

namespace xkde {
namespace {

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
  xkde::limit_product_cache();
  return xkde::run_program(argc, argv, [&] { return xkde::all_commands({argv, argv + argc}); });
}
