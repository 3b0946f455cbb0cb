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

void WorkQueue::run(int64_t begin, int64_t end, const char* results, const Work& work) {
  comm_.reset_counter();
  try {
    for (int64_t chunk = begin + comm_.next_ticket(); chunk < end && !stop_requested();
         chunk = begin + comm_.next_ticket()) {
      if (log_.is_done(chunk)) continue;
      const std::string words = work(chunk);
      progress_.update(chunk + 1, words);
    }
  } catch (const StopRequested&) {
    // The others have been asked too, or hear of it now.
  }
  XKDE_CHECK(!stop_requested_anywhere(comm_), StopRequested, "stopped on request, finished ",
             results, " kept in ", log_.folder().string());
}

std::string tokens_per_second(int64_t tokens, double seconds) {
  return fmt::format("{:.0f} tokens/s", static_cast<double>(tokens) / seconds);
}

}  // namespace xkde::recipe
