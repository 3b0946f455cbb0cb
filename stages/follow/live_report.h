#ifndef XKDE_STAGES_FOLLOW_LIVE_REPORT_H_
#define XKDE_STAGES_FOLLOW_LIVE_REPORT_H_

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace xkde::recipe {

/// When a page that costs time is written again.
struct LivePace {
  double share = 0.01;       ///< at most this share of the time since the start goes into pages
  double growth = 0.05;      ///< a page waits for this share of the time since the start, ...
  double least_seconds = 1;  ///< ... within these bounds
  double most_seconds = 60;

  /// Seconds since the start at which the next page is due: `now` has just come, all pages took
  /// `spent` together and the last one `last`.
  double next(double now, double spent, double last) const;
};

/// Calls `write`, which writes a page of a run, again and again in a thread of low priority while
/// it lives. The first error is a warning, and a later call tries again. The destructor waits for a
/// call that is under way.
class LiveReport {
 public:
  explicit LiveReport(std::function<void()> write, LivePace pace = {});
  ~LiveReport() = default;
  LiveReport(const LiveReport&) = delete;
  LiveReport& operator=(const LiveReport&) = delete;

 private:
  void run(const std::stop_token& stop);
  void try_to_write();

  std::function<void()> write_;
  LivePace pace_;
  bool has_complained_ = false;
  std::mutex lock_;
  std::condition_variable_any wake_;
  std::jthread thread_;  ///< last: it uses all others
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_FOLLOW_LIVE_REPORT_H_
