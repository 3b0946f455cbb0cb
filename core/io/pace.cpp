#include "core/io/pace.h"

#include <chrono>

namespace xkde {

void Pace::rest_after(double worked, const std::stop_token& stop) {
  if (share_ >= 1.0) return;
  const std::chrono::duration<double> rest(worked * (1.0 / share_ - 1.0));
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, rest, [this] { return hurried_; });
}

void Pace::hurry() {
  {
    const std::lock_guard lock(mutex_);
    hurried_ = true;
  }
  changed_.notify_all();
}

void Pace::calm() {
  const std::lock_guard lock(mutex_);
  hurried_ = false;
}

}  // namespace xkde
