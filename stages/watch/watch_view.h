#ifndef XKDE_STAGES_WATCH_WATCH_VIEW_H_
#define XKDE_STAGES_WATCH_WATCH_VIEW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "stages/watch/run_progress.h"

namespace xkde::recipe {

struct WatchOptions {
  int64_t columns = 80;  ///< of the terminal; no line takes more
  bool colours = false;  ///< of ANSI, in the states of stages
};

/// What `watch` shows of a run, a string a line: a line a stage with a bar, and of the stage that
/// is under way (of the last one that trained, where none is) curves of its loss and speed, or what
/// each rank has done.
std::vector<std::string> watch_view(const RunProgress& run, const WatchOptions& options);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_WATCH_WATCH_VIEW_H_
