#include "core/trace/trace_spans.h"

#include <chrono>
#include <exception>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"

namespace xkde {
namespace {

thread_local TraceRecorder* t_recorder = nullptr;

/// Shorter pieces tell nothing, and a wait that never came about would cut everything in pieces.
constexpr int64_t kLeastNanoseconds = 2000;

/// For a JSON string.
std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out;
}

std::string metadata_json(std::string_view kind, int rank, int lane, std::string_view values) {
  return fmt::format(R"({{"name":"{}","ph":"M","pid":{},"tid":{},"args":{{{}}}}})", kind, rank,
                     lane, values);
}

}  // namespace

int64_t trace_clock() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

TraceRecorder::TraceRecorder(std::function<void()> settle) : settle_(std::move(settle)) {
  XKDE_CHECK(t_recorder == nullptr, InternalError, "a thread records its spans twice");
  t_recorder = this;
}

TraceRecorder::~TraceRecorder() { t_recorder = nullptr; }

TraceRecorder* TraceRecorder::current() noexcept { return t_recorder; }

void TraceRecorder::add(const Open& span, int64_t end) {
  events_.push_back({span.lane, span.name, span.begin, end});
}

void TraceRecorder::enter(TraceLane lane, std::string name) {
  if (settle_) settle_();
  const int64_t now = trace_clock();
  // A piece without length is kept, so that leave() finds what it interrupted.
  if (!open_.empty() && open_.back().lane != TraceLane::kStep) add(open_.back(), now);
  open_.push_back({lane, std::move(name), now});
}

void TraceRecorder::leave() noexcept {
  try {
    if (settle_) settle_();
  } catch (const std::exception&) {  // NOLINT: the next work of the device tells it
  }
  const int64_t now = trace_clock();
  const Open span = std::move(open_.back());
  open_.pop_back();
  const bool has_outer = !open_.empty() && open_.back().lane != TraceLane::kStep;
  // Of what it interrupted the last piece ends where this one began, unless spans within it are
  // there.
  const bool is_tiny = span.lane != TraceLane::kStep && now - span.begin < kLeastNanoseconds;
  const bool is_alone = has_outer && !events_.empty() && events_.back().end == span.begin &&
                        events_.back().lane == open_.back().lane &&
                        events_.back().name == open_.back().name;
  if (is_tiny && is_alone) {
    open_.back().begin = events_.back().begin;
    events_.pop_back();
    return;
  }
  add(span, now);
  if (has_outer) open_.back().begin = now;
}

void TraceSpan::begin(TraceLane lane, std::string_view what, std::string_view unit) {
  std::string name(what.empty() ? name_of(kTraceLanes, lane) : what);
  if (!unit.empty()) name.append(" ").append(unit);
  recorder_->enter(lane, std::move(name));
}

std::string trace_events_json(const std::vector<TraceEvent>& events, int rank,
                              std::string_view process, int64_t origin) {
  std::string text =
      metadata_json("process_name", rank, 0, fmt::format(R"("name":"{}")", json_escaped(process)));
  text +=
      ",\n" + metadata_json("process_sort_index", rank, 0, fmt::format(R"("sort_index":{})", rank));
  for (const Named<TraceLane>& lane : kTraceLanes) {
    const int number = static_cast<int>(lane.value);
    text += ",\n" +
            metadata_json("thread_name", rank, number, fmt::format(R"("name":"{}")", lane.name));
    text += ",\n" + metadata_json("thread_sort_index", rank, number,
                                  fmt::format(R"("sort_index":{})", number));
  }
  for (const TraceEvent& event : events) {
    if (event.end == event.begin) continue;
    text += fmt::format(
        R"(,{}{{"name":"{}","cat":"{}","ph":"X","pid":{},"tid":{},"ts":{:.3f},"dur":{:.3f}}})",
        '\n', json_escaped(event.name), name_of(kTraceLanes, event.lane), rank,
        static_cast<int>(event.lane), static_cast<double>(event.begin - origin) / 1e3,
        static_cast<double>(event.end - event.begin) / 1e3);
  }
  return text;
}

}  // namespace xkde
