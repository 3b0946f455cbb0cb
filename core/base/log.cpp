#include "core/base/log.h"

#include <unistd.h>

namespace xkde::log {
namespace {

int g_rank = 0;
int g_size = 1;

void write_line(std::string line) {
  line += '\n';
  // A failed write to standard error has nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string prefix() {
  if (g_size == 1) return "";
  return "[rank " + std::to_string(g_rank) + "/" + std::to_string(g_size) + "] ";
}

}  // namespace

void set_rank(int rank, int size) {
  g_rank = rank;
  g_size = size;
}

void info(std::string_view message) {
  if (g_rank == 0) write_line(std::string(message));
}

void warning(std::string_view message) {
  write_line(prefix() + "warning: " + std::string(message));
}

void shared_warning(std::string_view message) {
  if (g_rank == 0) write_line("warning: " + std::string(message));
}

void error(std::string_view kind, std::string_view message) {
  write_line(prefix() + std::string(kind) + ": " + std::string(message));
}

}  // namespace xkde::log
