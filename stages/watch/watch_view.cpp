#include "stages/watch/watch_view.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "core/text/plural.h"
#include "core/text/regex/unicode.h"
#include "stages/recipe/run_record.h"
#include "stages/run/progress.h"
#include "stages/watch/braille_plot.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kPlotRows = 4, kLongestPlot = 100, kLongestBar = 30;
/// Figures at the left of a curve, and the blank behind them.
constexpr int64_t kScaleColumns = 11;
/// Seconds without a new line after which that is said.
constexpr double kLongSilence = 60.0;

/// A curve of a training: its key in metrics.jsonl, what it is called, how its values are written.
struct Curve {
  const char* key;
  const char* title;
  const char* format;
};
constexpr Curve kCurves[] = {{"loss", "loss", "{:.4g}"},
                             {"eval_loss", "loss of the dev set", "{:.4g}"},
                             {"tokens_per_second", "tokens/s", "{:.0f}"},
                             {"grad_norm", "norm of the gradient", "{:.3g}"}};

enum class Colour { kNone, kGreen, kYellow, kRed };

std::string painted(const std::string& text, Colour colour, bool colours) {
  if (!colours || colour == Colour::kNone) return text;
  const int code = colour == Colour::kGreen ? 32 : colour == Colour::kYellow ? 33 : 31;
  return fmt::format("\033[{}m{}\033[0m", code, text);
}

int64_t length_of(const std::string& text) { return static_cast<int64_t>(unicode::length(text)); }

/// As many characters as fit, control characters as blanks; a cut text ends in "…".
std::string cut(std::string text, int64_t columns) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 127) c = ' ';
  }
  if (length_of(text) <= columns) return text;
  size_t end = 0;
  for (int64_t i = 1; i < columns; ++i) unicode::next(text, end);
  return text.substr(0, end) + (columns > 0 ? "…" : "");
}

class View {
 public:
  View(const RunProgress& run, const WatchOptions& options) : run_(run), options_(options) {}

  std::vector<std::string> lines() {
    add_head();
    size_t longest = 0;
    for (const StageProgress& stage : run_.stages) longest = std::max(longest, stage.folder.size());
    for (const StageProgress& stage : run_.stages) add_stage(stage, longest);
    if (const StageProgress* shown = shown_stage()) {
      lines_.emplace_back();
      add_curves(*shown);
      add_ranks(*shown);
    }
    return std::move(lines_);
  }

 private:
  bool is_running() const { return run_.state == kRunning; }

  void add_head() {
    const Colour colour = is_running()           ? Colour::kYellow
                          : run_.state == "done" ? Colour::kGreen
                                                 : Colour::kRed;
    const std::string rest =
        fmt::format("  since {}  {}", run_.start, count_of(run_.ranks, "rank"));
    const std::string name = cut(run_.name, options_.columns / 2);
    const int64_t room = options_.columns - length_of(name) - 2;
    if (room < 1) return lines_.push_back(cut(name + "  ", options_.columns));
    const std::string state = cut(run_.state, room);
    const int64_t left = room - length_of(state);
    lines_.push_back(name + "  " + painted(state, colour, options_.colours) +
                     (std::ssize(rest) <= left ? rest : ""));
    if (!run_.note.empty()) lines_.push_back(cut(run_.note, options_.columns));
  }

  void add_stage(const StageProgress& stage, size_t width) {
    const bool is_current = &stage == run_.current();
    std::string mark = stage.is_done                ? "done"
                       : is_current && is_running() ? "runs"
                       : is_current                 ? "ends here"
                                                    : "waits";
    const Colour colour = stage.is_done ? Colour::kGreen
                          : is_current  ? Colour::kYellow
                                        : Colour::kNone;
    std::string count;
    if (stage.done > 0)
      count = stage.total > 0 ? fmt::format("{}/{}", stage.done, stage.total)
                              : fmt::format("{}", stage.done);
    std::string rest = count;
    if (stage.seconds_left && is_running())
      rest += "  left " + minutes_and_seconds(*stage.seconds_left);
    if (is_current && is_running() && stage.seconds_silent.value_or(0.0) > kLongSilence)
      rest += "  silent for " + minutes_and_seconds(*stage.seconds_silent);
    const std::string head = fmt::format("{:<{}}  ", stage.folder, width);
    const int64_t room = options_.columns - std::ssize(head) - std::ssize(mark) - 2;
    const int64_t bar = std::min(kLongestBar, room - std::ssize(rest) - 4);
    std::string line;
    if (stage.total > 0 && bar >= 5) line = bar_of(stage.done, stage.total, bar) + " ";
    line += rest;
    lines_.push_back(cut(head, options_.columns - std::ssize(mark)) +
                     painted(cut(mark, options_.columns), colour, options_.colours) +
                     (room > 2 && !line.empty() ? "  " + cut(line, room) : ""));
  }

  /// The stage under way, where it tells anything; else the last one that trained.
  const StageProgress* shown_stage() const {
    const StageProgress* current = run_.current();
    if (current != nullptr && current->done > 0) return current;
    for (size_t i = run_.stages.size(); i-- > 0;) {
      if (!run_.stages[i].series.empty()) return &run_.stages[i];
    }
    return nullptr;
  }

  void add_curves(const StageProgress& stage) {
    const int64_t columns = std::min(options_.columns - kScaleColumns, kLongestPlot);
    if (columns < 10) return;
    for (const Curve& curve : kCurves) {
      const auto found = stage.series.find(curve.key);
      if (found == stage.series.end() || found->second.size() < 2) continue;
      add_curve(stage, curve, found->second, columns);
    }
  }

  void add_curve(const StageProgress& stage, const Curve& curve,
                 const std::vector<std::pair<double, double>>& points, int64_t columns) {
    double low = points.front().second, high = low;
    for (const auto& [step, value] : points) {
      low = std::min(low, value);
      high = std::max(high, value);
    }
    const auto written = [&curve](double value) {
      return fmt::format(fmt::runtime(curve.format), value);
    };
    lines_.push_back(
        cut(fmt::format("{}: {}, now {}, steps {:.0f} to {:.0f}", stage.folder, curve.title,
                        written(points.back().second), points.front().first, points.back().first),
            options_.columns));
    const std::vector<std::string> rows = braille_plot(points, columns, kPlotRows);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string scale = i == 0 ? written(high) : i + 1 == rows.size() ? written(low) : "";
      lines_.push_back(fmt::format("{:>{}} ", scale, kScaleColumns - 1) + rows[i]);
    }
  }

  void add_ranks(const StageProgress& stage) {
    for (const auto& [rank, work] : stage.ranks) {
      lines_.push_back(
          cut(fmt::format("{}: rank {}: {} in {}", stage.folder, rank,
                          count_of(work.chunks, "chunk"), minutes_and_seconds(work.seconds)),
              options_.columns));
    }
  }

  const RunProgress& run_;
  const WatchOptions& options_;
  std::vector<std::string> lines_;
};

}  // namespace

std::vector<std::string> watch_view(const RunProgress& run, const WatchOptions& options) {
  return View(run, options).lines();
}

}  // namespace xkde::recipe
