#include "core/base/standard_output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

int g_failure = 0;  ///< errno of the first write that failed

/// Whether nobody reads the pipe any more, as `head` does not after its lines.
bool reader_is_gone() {
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

void print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if ((!written || std::fflush(stdout) != 0) && g_failure == 0) g_failure = errno;
}

std::optional<TerminalSize> terminal_to_redraw(int fd) {
  const char* kind = std::getenv("TERM");
  const bool is_dumb = kind == nullptr || *kind == '\0' || std::string_view(kind) == "dumb";
  if (is_dumb || ::isatty(fd) != 1) return std::nullopt;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
    return TerminalSize{};  // it does not say
  return TerminalSize{size.ws_col, size.ws_row};
}

size_t output_columns() {
  constexpr size_t kLeast = 80;
  if (::isatty(STDOUT_FILENO) != 1) return std::numeric_limits<size_t>::max();
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return kLeast;
  return std::max<size_t>(kLeast, size.ws_col);
}

void finish_output() {
  const bool was_good = std::ferror(stdout) == 0;
  if (std::fflush(stdout) != 0 && g_failure == 0) g_failure = errno;
  // What a file system reports only when a file is closed. The number itself stays taken.
  const int copy = ::dup(STDOUT_FILENO);
  if (copy >= 0 && ::close(copy) != 0 && g_failure == 0) g_failure = errno;
  if (reader_is_gone()) return;
  XKDE_CHECK(g_failure == 0, IoError, "standard output: expected to write all results, found ",
             std::strerror(g_failure));
  XKDE_CHECK(was_good, IoError, "standard output: expected to write all results, some are lost");
}

void hold_standard_streams() noexcept {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) >= 0) continue;
    // The lowest free number is this one. Each is opened for what nobody does with it.
    ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

}  // namespace xkde
