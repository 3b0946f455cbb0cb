#include "stages/run/work_queue.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "stages/run/stop_request.h"

namespace xkde::recipe {

WorkQueue::WorkQueue(const std::string& label, int64_t num_chunks, dist::Communicator& comm,
                     const ChunkLog& log)
    : comm_(comm),
      log_(log),
      progress_(label, num_chunks, log.num_done(), std::max<int64_t>(1, num_chunks / 5),
                comm.rank() == 0),
      finished_(log.num_done()) {}

void WorkQueue::run_chunk(int64_t chunk, const Work& work) {
  if (log_.is_done(chunk)) return;
  const std::string words = work(chunk);
  progress_.update(++finished_, words);
}

void WorkQueue::run_tickets(const std::vector<int64_t>& open, const char* results,
                            const std::function<void(int64_t)>& take) {
  const int64_t before = finished_;
  const auto done_before = [&](int64_t ticket) {
    return before + std::accumulate(open.begin(), open.begin() + ticket, int64_t{0});
  };
  comm_.reset_counter();
  try {
    for (int64_t ticket = comm_.next_ticket(); ticket < std::ssize(open) && !stop_requested();
         ticket = comm_.next_ticket()) {
      finished_ = done_before(ticket);
      take(ticket);
    }
    finished_ = done_before(std::ssize(open));
  } catch (const StopRequested&) {
    // The others have been asked too, or hear of it now.
  }
  XKDE_CHECK(!stop_requested_anywhere(comm_), StopRequested, "stopped on request, finished ",
             results, " kept in ", log_.folder().string());
}

void WorkQueue::run(int64_t begin, int64_t end, const char* results, const Work& work) {
  std::vector<int64_t> open;
  for (int64_t chunk = begin; chunk < end; ++chunk) open.push_back(log_.is_done(chunk) ? 0 : 1);
  run_tickets(open, results, [&](int64_t ticket) { run_chunk(begin + ticket, work); });
}

void WorkQueue::run(const std::vector<std::vector<int64_t>>& bundles, const char* results,
                    const Work& work) {
  std::vector<int64_t> open;
  for (const std::vector<int64_t>& bundle : bundles) {
    open.push_back(
        std::ranges::count_if(bundle, [&](int64_t chunk) { return !log_.is_done(chunk); }));
  }
  run_tickets(open, results, [&](int64_t ticket) {
    for (const int64_t chunk : bundles[static_cast<size_t>(ticket)]) {
      check_stop();
      run_chunk(chunk, work);
    }
  });
}

std::string tokens_per_second(int64_t tokens, double seconds) {
  return fmt::format("{:.0f} tokens/s", static_cast<double>(tokens) / seconds);
}

}  // namespace xkde::recipe
