#ifndef XKDE_CORE_IO_PACE_H_
#define XKDE_CORE_IO_PACE_H_

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace xkde {

/// Keeps background work to a share of a processor that others need, until somebody waits for it.
class Pace {
 public:
  /// `share` in (0, 1]: of the time that may be worked. 1 never rests.
  explicit Pace(double share) : share_(share) {}

  /// Rests for as long as `worked` seconds allow no more. Returns early on hurry() and on a request
  /// of `stop`.
  void rest_after(double worked, const std::stop_token& stop);
  /// From now on nobody rests, until calm().
  void hurry();
  void calm();

 private:
  double share_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool hurried_ = false;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_PACE_H_
