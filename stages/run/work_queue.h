#ifndef XKDE_STAGES_RUN_WORK_QUEUE_H_
#define XKDE_STAGES_RUN_WORK_QUEUE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "distributed/comm/communicator.h"
#include "stages/run/chunk_log.h"
#include "stages/run/progress.h"

namespace xkde::recipe {

/// Chunks of work that the ranks of a stage share: each rank takes the next chunk whenever it is
/// free. Rank 0 shows the progress.
class WorkQueue {
 public:
  /// Works on one chunk and returns a few words for the progress line ("240 tokens/s").
  using Work = std::function<std::string(int64_t chunk)>;

  /// `label` begins the progress line. The chunks that the log has are passed over. `comm` and
  /// `log` outlive the queue.
  WorkQueue(const std::string& label, int64_t num_chunks, dist::Communicator& comm,
            const ChunkLog& log);

  /// Has the ranks work on bundles of chunks: all chunks of a bundle on one rank, in their order.
  /// Else as run() of a range.
  void run(const std::vector<std::vector<int64_t>>& bundles, const char* results, const Work& work);
  /// Has the ranks work on the chunks [begin, end). A stop request ends the work between chunks,
  /// and within one where `work` throws StopRequested itself. All ranks then throw StopRequested,
  /// which says that `results` ("answers") are kept in the log's folder. Collective.
  void run(int64_t begin, int64_t end, const char* results, const Work& work);

 private:
  /// How many chunks each ticket has that were not done before; `take` works on them.
  void run_tickets(const std::vector<int64_t>& open, const char* results,
                   const std::function<void(int64_t ticket)>& take);
  void run_chunk(int64_t chunk, const Work& work);

  dist::Communicator& comm_;
  const ChunkLog& log_;
  Progress progress_;
  /// Chunks that are done as far as this rank knows: tickets are taken in their order, so that
  /// those before its own are.
  int64_t finished_ = 0;
};

/// "240 tokens/s"
std::string tokens_per_second(int64_t tokens, double seconds);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_WORK_QUEUE_H_
