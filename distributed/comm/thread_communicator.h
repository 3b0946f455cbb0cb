#ifndef XKDE_DISTRIBUTED_COMM_THREAD_COMMUNICATOR_H_
#define XKDE_DISTRIBUTED_COMM_THREAD_COMMUNICATOR_H_

#include <functional>
#include <memory>

#include "distributed/comm/communicator.h"
#include "distributed/comm/shared_segment.h"

namespace xkde::dist {

class ThreadMemory;

/// Ranks as threads of one process, for tests: the collectives of the MPI communicator on one host,
/// without MPI. Move-only.
class ThreadGroup {
 public:
  explicit ThreadGroup(int size, SegmentOptions options = {.group = "threads"});
  ThreadGroup(ThreadGroup&&) = default;
  ThreadGroup& operator=(ThreadGroup&&) = default;

  int size() const noexcept { return size_; }
  /// The communicator ("thread") of one rank, for one thread; make one for each rank. Its abort()
  /// returns: the calls of all ranks throw CommError from then on.
  std::unique_ptr<Communicator> communicator(int rank);

 private:
  int size_;
  SegmentOptions options_;
  std::shared_ptr<ThreadMemory> memory_;
};

/// Calls run(communicator) on a thread for each rank and joins them all. An exception of one rank
/// aborts the group; the first one is rethrown, and not the CommErrors that it brought about.
void run_ranks(int size, const std::function<void(Communicator&)>& run,
               SegmentOptions options = {.group = "threads"});

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_THREAD_COMMUNICATOR_H_
