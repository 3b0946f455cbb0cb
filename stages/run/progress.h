#ifndef XKDE_STAGES_RUN_PROGRESS_H_
#define XKDE_STAGES_RUN_PROGRESS_H_

#include <cstdint>
#include <string>

#include "core/base/stopwatch.h"
#include "core/io/file.h"

namespace xkde::recipe {

/// "3:32", "1:02:05".
std::string minutes_and_seconds(double seconds);

/// "[====    ]": how much of `total` is done, in `columns` between the brackets; full where there
/// is nothing to be done.
std::string bar_of(int64_t done, int64_t total, int64_t columns);

/// What a line of progress tells.
struct ProgressLine {
  std::string label;
  int64_t step = 0, total = 0;
  std::string detail;  ///< figures, two blanks apart
  std::string left;    ///< the time left
};

/// The line with a bar, in at most `columns`. Where that is narrow the bar is shorter, then figures
/// are left out, the last one first, then the bar, and then the line is cut.
std::string progress_bar(const ProgressLine& line, int64_t columns);

/// How far a stage is, on standard error: a bar that redraws itself on a terminal, a plain line
/// every `line_every` steps elsewhere, also on a terminal that cannot redraw (TERM=dumb). Only rank
/// 0 should own an active one. Where no such line is printed, the log of the rank (log::copy_to)
/// gets one at the first step, at the last and every kNoteSeconds.
class Progress {
 public:
  static constexpr double kNoteSeconds = 10.0;

  /// `done` steps were finished by an earlier run; the time left is judged from those of this run.
  Progress(std::string label, int64_t total, int64_t done, int64_t line_every, bool active);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `detail`: figures of the last step, for example "loss 1.23  240 tokens/s".
  void update(int64_t step, const std::string& detail);

 private:
  std::string time_left(int64_t step) const;
  std::string plain_line(int64_t step, const std::string& detail) const;
  int terminal_fd() const;
  void draw_bar(int64_t step, const std::string& detail);

  std::string label_;
  int64_t total_, first_, last_step_, line_every_;
  bool active_;
  FileHandle mpiruns_;  ///< its terminal, where ours is a pipe to it
  bool terminal_;
  bool bar_open_ = false;
  double last_drawn_ = -1.0;
  double next_note_ = 0.0;
  Stopwatch clock_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_PROGRESS_H_
