#ifndef XKDE_STAGES_RUN_WORK_QUEUE_H_
#define XKDE_STAGES_RUN_WORK_QUEUE_H_

#include <cstdint>
#include <functional>
#include <string>

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

  /// `label` begins the progress line. With a log, the chunks it has are passed over, and a stop
  /// request ends the work. Without one nothing would be kept, so a stop request waits until all
  /// chunks are done. `comm` and `log` outlive the queue.
  WorkQueue(const std::string& label, int64_t num_chunks, dist::Communicator& comm,
            const ChunkLog* log = nullptr);

  /// Has the ranks work on the chunks [begin, end). Throws StopRequested, which says that `results`
  /// ("answers") are kept in the log's folder. Collective.
  void run(int64_t begin, int64_t end, const char* results, const Work& work);

 private:
  dist::Communicator& comm_;
  const ChunkLog* log_;
  Progress progress_;
};

/// "240 tokens/s"
std::string tokens_per_second(int64_t tokens, double seconds);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_WORK_QUEUE_H_
