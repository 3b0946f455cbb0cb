#include "stages/run/progress.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/log.h"

namespace xkde::recipe {
namespace {

std::string minutes_and_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

/// Whether a person sees what goes to stderr. Below mpirun that is a pipe, and mpirun's own stderr
/// is what counts.
bool ends_on_terminal() {
  if (::isatty(STDERR_FILENO) == 1) return true;
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return false;
  std::error_code error;
  const auto target = std::filesystem::read_symlink(
      "/proc/" + std::to_string(::getppid()) + "/fd/" + std::to_string(STDERR_FILENO), error);
  return !error && (target.string().starts_with("/dev/pts/") || target == "/dev/tty");
}

}  // namespace

Progress::Progress(std::string label, int64_t total, int64_t done, int64_t line_every, bool active)
    : label_(std::move(label)),
      total_(total),
      first_(done),
      line_every_(line_every),
      active_(active),
      terminal_(ends_on_terminal()) {}

Progress::~Progress() {
  if (bar_open_) std::fputc('\n', stderr);
}

std::string Progress::time_left(int64_t step) const {
  const int64_t finished = step - first_;
  if (finished <= 0) return "?";
  const double per_step = clock_.seconds() / static_cast<double>(finished);
  return minutes_and_seconds(per_step * static_cast<double>(total_ - step));
}

void Progress::update(int64_t step, const std::string& detail) {
  if (!active_) return;
  const bool last = step == total_;
  if (terminal_) {
    const bool due = clock_.seconds() - last_drawn_ > 0.2;
    if (due || last) draw_bar(step, detail);
    return;
  }
  if (last || step % line_every_ == 0) {
    log::info(fmt::format("{} {}/{}  {}  left {}", label_, step, total_, detail, time_left(step)));
  }
}

void Progress::draw_bar(int64_t step, const std::string& detail) {
  constexpr int64_t kWidth = 24;
  const int64_t filled = total_ > 0 ? step * kWidth / total_ : kWidth;
  std::string bar(static_cast<size_t>(filled), '=');
  bar.resize(kWidth, ' ');
  // \033[K clears what a longer line left behind.
  std::fputs(fmt::format("\r{} [{}] {}/{}  {}  left {}\033[K", label_, bar, step, total_, detail,
                         time_left(step))
                 .c_str(),
             stderr);
  std::fflush(stderr);
  last_drawn_ = clock_.seconds();
  bar_open_ = step != total_;
  if (!bar_open_) std::fputc('\n', stderr);
}

}  // namespace xkde::recipe
