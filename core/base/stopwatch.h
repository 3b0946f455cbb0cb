#ifndef XKDE_CORE_BASE_STOPWATCH_H_
#define XKDE_CORE_BASE_STOPWATCH_H_

#include <chrono>

namespace xkde {

/// Seconds since construction or the last restart(), on the monotonic clock.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  void restart() { start_ = std::chrono::steady_clock::now(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace xkde

#endif  // XKDE_CORE_BASE_STOPWATCH_H_
