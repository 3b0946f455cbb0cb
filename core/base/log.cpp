#include "core/base/log.h"

#include <mutex>
#include <utility>

#include <unistd.h>

namespace xkde::log {
namespace {

int g_rank = 0;
int g_size = 1;
std::mutex g_copy_lock;
Copy g_copy;

void write_line(std::string line) {
  line += '\n';
  // A failed write to standard error has nowhere to be reported.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::string prefix() {
  if (g_size == 1) return "";
  return "[rank " + std::to_string(g_rank) + "/" + std::to_string(g_size) + "] ";
}

void copy_line(std::string_view line) {
  std::string problem;
  {
    const std::scoped_lock lock(g_copy_lock);
    if (g_copy) problem = g_copy(line);
  }
  if (!problem.empty()) write_line(prefix() + "warning: " + problem);
}

/// `words` as this rank says them, for all who read it.
void tell(const std::string& words) {
  write_line(prefix() + words);
  copy_line(words);
}

}  // namespace

void set_rank(int rank, int size) {
  g_rank = rank;
  g_size = size;
}

void info(std::string_view message) {
  if (g_rank == 0) write_line(std::string(message));
  copy_line(message);
}

void warning(std::string_view message) { tell("warning: " + std::string(message)); }

void shared_warning(std::string_view message) {
  const std::string line = "warning: " + std::string(message);
  if (g_rank == 0) write_line(line);
  copy_line(line);
}

void error(std::string_view kind, std::string_view message) {
  tell(std::string(kind) + ": " + std::string(message));
}

void copy_to(Copy copy) {
  const std::scoped_lock lock(g_copy_lock);
  g_copy = std::move(copy);
}

void note(std::string_view message) { copy_line(message); }

}  // namespace xkde::log
