#include "launch/watch/watch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/standard_output.h"
#include "core/base/stop_signals.h"
#include "core/base/stopwatch.h"
#include "stages/recipe/run_record.h"
#include "stages/watch/run_progress.h"
#include "stages/watch/watch_view.h"

namespace xkde {
namespace {

/// Of what is no terminal.
constexpr int64_t kPlainColumns = 100;
constexpr double kLeastSeconds = 0.1, kMostSeconds = 3600.0;

/// no-color.org
bool has_colours() {
  const char* refused = std::getenv("NO_COLOR");
  return refused == nullptr || *refused == '\0';
}

/// A picture in the place of the one before, which had `before` lines: each line is cleared to its
/// end, and then what is below.
std::string drawn_over(const std::vector<std::string>& lines, size_t before) {
  std::string text = before > 0 ? "\033[" + std::to_string(before) + "A\r" : "";
  for (const std::string& line : lines) text += line + "\033[K\n";
  return text + "\033[J";
}

/// Sleeps, but not through a request to stop.
void wait_for(double seconds) {
  for (const Stopwatch watch; watch.seconds() < seconds && !stop_requested();)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
}

}  // namespace

std::string_view WatchCommand::summary() const {
  return "how far a run is, drawn anew while it goes on: its stages, curves of its loss and speed, "
         "what each rank has done, and the time left; it reads files alone, also those of another "
         "user's run";
}

std::vector<std::string_view> WatchCommand::examples() const {
  return {"xkde_dist watch runs/quickstart", "xkde_dist watch runs/quickstart --once"};
}

void WatchCommand::define(CLI::App& app) {
  app.add_option("RUN", folder, "the folder of a run");
  app.add_flag("--once", once, "draw once and end; so does whatever is no terminal");
  app.add_option("--every", every, "seconds between two looks")
      ->type_name("SECONDS")
      ->capture_default_str();
}

void WatchCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(!folder.empty(), UsageError, "watch: expected the folder of a run, found none");
  XKDE_CHECK(every >= kLeastSeconds && every <= kMostSeconds, UsageError,
             "watch: expected --every from ", kLeastSeconds, " to ", kMostSeconds, ", found ",
             every);
}

int WatchCommand::run() {
  recipe::ProgressReader reader(folder);
  size_t before = 0;
  while (true) {
    const recipe::RunProgress progress = reader.read();
    const std::optional<TerminalSize> terminal = terminal_to_redraw(STDOUT_FILENO);
    const recipe::WatchOptions options{.columns = terminal ? terminal->columns - 1 : kPlainColumns,
                                       .colours = terminal.has_value() && has_colours()};
    std::vector<std::string> lines = recipe::watch_view(progress, options);
    if (!terminal) {
      for (const std::string& line : lines) print(line + "\n");
      return 0;
    }
    // What scrolled away could not be drawn over.
    const auto room = static_cast<size_t>(std::max<int64_t>(terminal->rows - 1, 1));
    if (lines.size() > room) lines.resize(room);
    print(drawn_over(lines, before));
    before = lines.size();
    if (once || progress.state != recipe::kRunning) return 0;
    wait_for(every);
    if (stop_requested()) return 0;
  }
}

}  // namespace xkde
