#include "stages/follow/live_report.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/stopwatch.h"

namespace xkde::recipe {
namespace {

constexpr int kNice = 19;

}  // namespace

double LivePace::next(double now, double spent, double last) const {
  const double wait = std::clamp(growth * now, least_seconds, most_seconds);
  return std::max(now + wait, (spent + last) / share);
}

LiveReport::LiveReport(std::function<void()> write, LivePace pace)
    : write_(std::move(write)),
      pace_(pace),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void LiveReport::run(const std::stop_token& stop) {
  // Of this thread alone, on Linux.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  const Stopwatch clock;
  double due = 0.0, spent = 0.0;
  while (true) {
    {
      std::unique_lock lock(lock_);
      const auto wait = std::chrono::duration<double>(std::max(0.0, due - clock.seconds()));
      wake_.wait_for(lock, stop, wait, [&] { return clock.seconds() >= due; });
      if (stop.stop_requested()) return;
    }
    const Stopwatch watch;
    try_to_write();
    const double last = watch.seconds();
    spent += last;
    due = pace_.next(clock.seconds(), spent, last);
  }
}

void LiveReport::try_to_write() {
  try {
    write_();
  } catch (const std::exception& error) {
    if (!std::exchange(has_complained_, true))
      log::warning(concat("live report: ", error.what(), "; the run goes on"));
  }
}

}  // namespace xkde::recipe
