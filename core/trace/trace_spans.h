#ifndef XKDE_CORE_TRACE_TRACE_SPANS_H_
#define XKDE_CORE_TRACE_TRACE_SPANS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"

namespace xkde {

/// What a rank spends the time of a step on.
enum class TraceLane { kStep, kCompute, kGather, kReduce, kWait, kOptimizer, kData, kSave };
inline constexpr Named<TraceLane> kTraceLanes[] = {
    {"step", TraceLane::kStep},            ///< whole steps, above all others
    {"compute", TraceLane::kCompute},      ///< what no other lane has
    {"gather", TraceLane::kGather},        ///< weights of a unit from all shards
    {"reduce", TraceLane::kReduce},        ///< gradients over shards and copies
    {"wait", TraceLane::kWait},            ///< for slower ranks
    {"optimizer", TraceLane::kOptimizer},  ///< the update
    {"data", TraceLane::kData},            ///< packs of the next step
    {"save", TraceLane::kSave}};           ///< checkpoints, and lines of metrics

/// A piece of time, in nanoseconds of the monotonic clock.
struct TraceEvent {
  TraceLane lane = TraceLane::kCompute;
  std::string name;
  int64_t begin = 0, end = 0;
};

/// What the spans of one thread were, while it lives: the spans of the thread that made it. A span
/// within another one interrupts it, so that no two pieces of a thread overlap, whatever their
/// lanes: the sum over lanes is the time that has a span. kStep alone lies above: its events are
/// whole.
class TraceRecorder {
 public:
  /// `settle` is called at each border of a span, to wait for what a device has not finished; may
  /// be null. What it throws at the end of a span is passed over: a span also ends where an error
  /// of the device is on its way. One recorder a thread at a time.
  explicit TraceRecorder(std::function<void()> settle = nullptr);
  ~TraceRecorder();
  TraceRecorder(const TraceRecorder&) = delete;
  TraceRecorder& operator=(const TraceRecorder&) = delete;

  const std::vector<TraceEvent>& events() const noexcept { return events_; }
  /// Of this thread; null where nothing is recorded.
  static TraceRecorder* current() noexcept;

  void enter(TraceLane lane, std::string name);
  void leave() noexcept;

 private:
  struct Open {
    TraceLane lane;
    std::string name;
    int64_t begin;  ///< of the piece that is under way
  };
  void add(const Open& span, int64_t end);

  std::function<void()> settle_;
  std::vector<Open> open_;
  std::vector<TraceEvent> events_;
};

/// A span from here to the end of the scope. Where nobody records, it costs a look at a pointer.
class [[nodiscard]] TraceSpan {
 public:
  /// `what` of `unit`: "backward model.layers.7"; without a `what` the lane's name.
  explicit TraceSpan(TraceLane lane, std::string_view what = {}, std::string_view unit = {})
      : recorder_(TraceRecorder::current()) {
    if (recorder_ != nullptr) begin(lane, what, unit);
  }
  ~TraceSpan() {
    if (recorder_ != nullptr) recorder_->leave();
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  void begin(TraceLane lane, std::string_view what, std::string_view unit);

  TraceRecorder* recorder_;
};

/// Events of one rank as objects of the Trace Event Format, joined by commas, with the names of
/// process and lanes before them: times are microseconds since `origin`, pid is the rank and tid
/// the lane. What is put between {"traceEvents":[ and ]} opens in Perfetto and chrome://tracing.
std::string trace_events_json(const std::vector<TraceEvent>& events, int rank,
                              std::string_view process, int64_t origin);

/// Nanoseconds of the monotonic clock that spans are measured by.
int64_t trace_clock() noexcept;

}  // namespace xkde

#endif  // XKDE_CORE_TRACE_TRACE_SPANS_H_
