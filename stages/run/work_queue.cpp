#include "stages/run/work_queue.h"

#include <algorithm>

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
                comm.rank() == 0) {}

void WorkQueue::run_chunk(int64_t chunk, const Work& work) {
  if (log_.is_done(chunk)) return;
  const std::string words = work(chunk);
  // Chunks of a bundle may be far apart.
  finished_ = std::max(finished_, chunk + 1);
  progress_.update(finished_, words);
}

void WorkQueue::run_tickets(int64_t count, const char* results,
                            const std::function<void(int64_t)>& take) {
  comm_.reset_counter();
  try {
    for (int64_t ticket = comm_.next_ticket(); ticket < count && !stop_requested();
         ticket = comm_.next_ticket()) {
      take(ticket);
    }
  } catch (const StopRequested&) {
    // The others have been asked too, or hear of it now.
  }
  XKDE_CHECK(!stop_requested_anywhere(comm_), StopRequested, "stopped on request, finished ",
             results, " kept in ", log_.folder().string());
}

void WorkQueue::run(int64_t begin, int64_t end, const char* results, const Work& work) {
  run_tickets(end - begin, results, [&](int64_t ticket) { run_chunk(begin + ticket, work); });
}

void WorkQueue::run(const std::vector<std::vector<int64_t>>& bundles, const char* results,
                    const Work& work) {
  run_tickets(std::ssize(bundles), results, [&](int64_t ticket) {
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
