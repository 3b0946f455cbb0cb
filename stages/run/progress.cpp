#include "stages/run/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/standard_output.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kLongestBar = 24, kShortestBar = 5;

/// mpirun's own stderr, where that is a terminal: below mpirun ours is a pipe. Not open elsewhere.
FileHandle open_terminal_of_mpirun() {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") == nullptr) return {};
  const std::string own = fmt::format("/proc/{}/fd/{}", ::getppid(), STDERR_FILENO);
  std::error_code error;
  const auto target = std::filesystem::read_symlink(own, error);
  const bool is_terminal = target.string().starts_with("/dev/pts/") || target == "/dev/tty";
  return !error && is_terminal ? FileHandle::try_open(own, OpenMode::kRead) : FileHandle();
}

std::string line_with(const ProgressLine& line, std::string_view detail, int64_t bar) {
  std::string text = line.label + " ";
  if (bar > 0) {
    text += bar_of(line.step, line.total, bar) + " ";
  }
  text += fmt::format("{}/{}", line.step, line.total);
  if (!detail.empty()) text.append("  ").append(detail);
  return text + "  left " + line.left;
}

}  // namespace

std::string minutes_and_seconds(double seconds) {
  const auto whole = static_cast<int64_t>(std::lround(seconds));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string bar_of(int64_t done, int64_t total, int64_t columns) {
  const int64_t filled = total > 0 ? done * columns / total : columns;
  std::string drawn(static_cast<size_t>(filled), '=');
  drawn.resize(static_cast<size_t>(columns), ' ');
  return "[" + drawn + "]";
}

std::string progress_bar(const ProgressLine& line, int64_t columns) {
  const auto room = static_cast<size_t>(std::max<int64_t>(columns, 1));
  std::string_view detail = line.detail;
  while (true) {
    const auto rest = std::ssize(line_with(line, detail, 1)) - 1;
    const int64_t bar = std::min(columns - rest, kLongestBar);
    if (bar >= kShortestBar) return line_with(line, detail, bar);
    if (detail.empty()) break;
    const size_t last = detail.rfind("  ");
    detail = last == std::string_view::npos ? "" : detail.substr(0, last);
  }
  return line_with(line, "", 0).substr(0, room);
}

Progress::Progress(std::string label, int64_t total, int64_t done, int64_t line_every, bool active)
    : label_(std::move(label)),
      total_(total),
      first_(done),
      last_step_(done),
      line_every_(line_every),
      active_(active),
      mpiruns_(active && ::isatty(STDERR_FILENO) != 1 ? open_terminal_of_mpirun() : FileHandle()),
      terminal_(active && terminal_to_redraw(terminal_fd()).has_value()) {}

Progress::~Progress() {
  if (bar_open_) std::fputc('\n', stderr);
}

std::string Progress::time_left(int64_t step) const {
  const int64_t finished = step - first_;
  if (finished <= 0) return "?";
  const double per_step = clock_.seconds() / static_cast<double>(finished);
  return minutes_and_seconds(per_step * static_cast<double>(total_ - step));
}

std::string Progress::plain_line(int64_t step, const std::string& detail) const {
  return fmt::format("{} {}/{}  {}  left {}", label_, step, total_, detail, time_left(step));
}

void Progress::update(int64_t step, const std::string& detail) {
  const bool last = step == total_;
  const bool has_passed = step / line_every_ != std::exchange(last_step_, step) / line_every_;
  if (active_ && !terminal_ && (last || has_passed)) {
    log::info(plain_line(step, detail));
    return;
  }
  if (active_ && terminal_) {
    const bool due = clock_.seconds() - last_drawn_ > 0.2;
    if (due || last) draw_bar(step, detail);
  }
  if (!last && clock_.seconds() < next_note_) return;
  next_note_ = clock_.seconds() + kNoteSeconds;
  log::note(plain_line(step, detail));
}

void Progress::draw_bar(int64_t step, const std::string& detail) {
  const ProgressLine line{label_, step, total_, detail, time_left(step)};
  // A line in the last column would wrap on some terminals. \033[K clears what a longer one left.
  std::fputs(
      ("\r" +
       progress_bar(line, terminal_to_redraw(terminal_fd()).value_or(TerminalSize()).columns - 1) +
       "\033[K")
          .c_str(),
      stderr);
  std::fflush(stderr);
  last_drawn_ = clock_.seconds();
  bar_open_ = step != total_;
  if (!bar_open_) std::fputc('\n', stderr);
}

int Progress::terminal_fd() const { return mpiruns_.is_open() ? mpiruns_.fd() : STDERR_FILENO; }

}  // namespace xkde::recipe
