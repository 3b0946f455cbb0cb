#ifndef XKDE_LAUNCH_WATCH_LIGHT_WATCH_H_
#define XKDE_LAUNCH_WATCH_LIGHT_WATCH_H_

#include <string>
#include <utility>
#include <vector>

#include "launch/watch/watch.h"

namespace xkde {

/// `watch` by a program of its own that has no LibTorch, `xkde_watch` beside this one: a watch may
/// last as long as the run, on a node that the run needs. Where it is not there this program
/// watches.
class LightWatchCommand final : public WatchCommand {
 public:
  /// `argv`: the whole command line.
  explicit LightWatchCommand(std::vector<std::string> argv) : argv_(std::move(argv)) {}
  int run() override;

 private:
  std::vector<std::string> argv_;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_WATCH_LIGHT_WATCH_H_
