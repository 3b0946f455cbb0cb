#ifndef XKDE_DISTRIBUTED_COMM_SHARED_SEGMENT_H_
#define XKDE_DISTRIBUTED_COMM_SHARED_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "distributed/comm/collective_call.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// How the ranks of a segment wait and how much they exchange at a time; equal on all ranks.
struct SegmentOptions {
  std::string group = "world";             ///< names the group in errors
  double timeout_s = 1800;                 ///< how long a rank waits for the others
  int64_t chunk_bytes = int64_t{2} << 20;  ///< per rank and phase; at least 64 for each rank
};

/// Collectives on CPU tensors of ranks that see one piece of memory: the threads of one process, or
/// the processes of one host on a shared mapping. A call is over when it returns; Work::wait()
/// does nothing.
///
/// Each rank owns two buffers of chunk_bytes, used in turn. A collective is a row of phases: write
/// one's own buffer, arrive, wait until all arrived, read the others' buffers. A rank that arrived
/// at phase p has read all of phase p - 1, so the buffer of phase p - 1 is free again in phase
/// p + 1, and one wait for each phase is enough.
class SegmentCommunicator : public Communicator {
 public:
  /// Memory that a group of `size` ranks needs, aligned to 4096.
  static size_t memory_bytes(int size, int64_t chunk_bytes);
  /// The smallest chunk_bytes for `size` ranks. No result depends on the size of chunks.
  static int64_t smallest_chunk(int size) noexcept;
  /// Prepares zeroed memory, before any rank attaches to it.
  static void format(void* memory, int size);

  /// `memory` of memory_bytes(), after format(); it outlives the communicator.
  SegmentCommunicator(void* memory, int size, int rank, SegmentOptions options);

  int rank() const noexcept override { return rank_; }
  int size() const noexcept override { return size_; }
  std::unique_ptr<Work> all_reduce(at::Tensor tensor, ReduceOp op) override;
  std::unique_ptr<Work> all_gather(at::Tensor full, at::Tensor shard) override;
  std::unique_ptr<Work> reduce_scatter(at::Tensor shard, at::Tensor full, ReduceOp op) override;
  std::unique_ptr<Work> broadcast(at::Tensor tensor, int root) override;
  void barrier() override;
  std::vector<std::string> all_gather_bytes(const std::string& bytes) override;
  std::string broadcast_bytes(const std::string& bytes, int root) override;
  int64_t next_ticket() override;  ///< from any thread
  void reset_counter() override;

 protected:
  /// Makes every waiting or later call of every rank on `memory` throw CommError, which names
  /// `rank`.
  static void mark_failed(void* memory, int rank, int exit_code) noexcept;
  const SegmentOptions& options() const noexcept { return options_; }

 private:
  struct Header;
  struct Slot;
  struct Chunk;

  Header& header() const noexcept;
  Slot& slot(int rank) const noexcept;
  char* buffer(int rank) const noexcept;  ///< of the current phase
  void start(CollectiveCall call);        ///< and its first phase
  void next_phase() noexcept { ++phase_; }
  void arrive();  ///< and waits for all
  void await(int rank);
  bool arrived(int rank) const noexcept;
  std::string missing_ranks() const;  ///< of the current phase, "2, 3"
  void check_alive();
  [[noreturn]] void give_up();
  void compare_calls();
  int64_t bytes_of(int rank) const noexcept;
  void reduce_whole(const Chunk& chunk, ReduceOp op);
  void reduce_by_slices(const Chunk& chunk, ReduceOp op);

  void* memory_;
  int size_;
  int rank_;
  SegmentOptions options_;
  int64_t buffer_bytes_;
  int spins_;
  uint64_t phase_ = 0;
  int64_t sequence_ = 0;
  CollectiveCall call_;
  bool compared_ = true;  ///< the calls of this collective
  std::string failure_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_SHARED_SEGMENT_H_
