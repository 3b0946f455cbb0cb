#ifndef XKDE_STAGES_EDIT_SAVE_CLOCK_H_
#define XKDE_STAGES_EDIT_SAVE_CLOCK_H_

#include "core/base/stopwatch.h"

namespace xkde::recipe {

/// When it is time to save what a stop would lose: saves are seconds apart and take a small share
/// of the time.
class SaveClock {
 public:
  bool is_due() const {
    return since_.seconds() > kEverySeconds && since_.seconds() > cost_ / kShare;
  }
  /// Calls `write`, which saves.
  template <typename Write>
  void save(const Write& write) {
    const Stopwatch watch;
    write();
    cost_ = watch.seconds();
    since_.restart();
  }

 private:
  static constexpr double kEverySeconds = 30.0;
  static constexpr double kShare = 0.05;

  Stopwatch since_;
  double cost_ = 0.0;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EDIT_SAVE_CLOCK_H_
