#ifndef XKDE_DISTRIBUTED_COMM_COMMUNICATOR_H_
#define XKDE_DISTRIBUTED_COMM_COMMUNICATOR_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include "distributed/comm/call_note.h"

namespace xkde::dist {

enum class ReduceOp { kSum, kMax };

/// A started collective. It keeps its tensors alive; every rank calls wait() exactly once.
class Work {
 public:
  virtual ~Work() = default;
  virtual void wait() = 0;  ///< orders the current CUDA stream after it; blocks on CPU
};

/// Collectives among the ranks of one group: the only door to NCCL and MPI.
/// Every rank makes the same calls in the same order, with contiguous tensors of one dtype (fp32,
/// bf16, fp64, int64). bf16 sums are accumulated in fp32 and rounded once. Results are bit-equal on
/// all ranks and from run to run: the reduction order is rank order, whatever the timing ("nccl":
/// NcclOptions::deterministic). A call
/// enqueues on the group's own stream, after the work already on the caller's stream. Throws
/// CommError (operation, group, rank, library message, or a mismatch of operation, dtype or size
/// between ranks); the group is then unusable.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const noexcept = 0;  ///< in [0, size())
  virtual int size() const noexcept = 0;
  virtual std::string backend() const = 0;  ///< "mpi", "nccl" or "thread"
  /// tensor <- op over all ranks, in place.
  [[nodiscard]] virtual std::unique_ptr<Work> all_reduce(at::Tensor tensor, ReduceOp op) = 0;
  /// shard [n] of each rank -> full [size() * n], in rank order. `shard` may be full's own slice.
  [[nodiscard]] virtual std::unique_ptr<Work> all_gather(at::Tensor full, at::Tensor shard) = 0;
  /// full [size() * n] -> shard [n]: op over all ranks of slice rank(). `shard` may be of fp32 when
  /// `full` is bf16.
  [[nodiscard]] virtual std::unique_ptr<Work> reduce_scatter(at::Tensor shard, at::Tensor full,
                                                             ReduceOp op) = 0;
  /// tensor of `root` -> all.
  [[nodiscard]] virtual std::unique_ptr<Work> broadcast(at::Tensor tensor, int root) = 0;
  virtual void barrier() = 0;
  /// What this rank is at ("block 7"), for the errors of the calls that follow. Not a collective.
  void set_phase(std::string_view phase) { phase_ = phase; }
  /// What step of the run this rank is at ("02-sft step 41"), for the errors of the calls that
  /// follow of all groups that share a note. Not a collective.
  void set_step(std::string_view step) { note_->write_step(step); }
  /// Where this rank notes its calls. Groups that are split off later share it.
  const std::shared_ptr<CallNote>& note() const noexcept { return note_; }
  void share_note(const Communicator& other) { note_ = other.note_; }
  /// The ranks of one `color` (>= 0) as a group of their own, in rank order, which errors call
  /// `group`. Collective; the new group's calls and this one's must come in the same order on all
  /// ranks. This communicator outlives it.
  [[nodiscard]] virtual std::unique_ptr<Communicator> split(int color,
                                                            const std::string& group) = 0;

  /// Host-side lists. Bytes of every rank, in rank order, on all ranks.
  virtual std::vector<std::string> all_gather_bytes(const std::string& bytes) = 0;
  virtual std::string broadcast_bytes(const std::string& bytes, int root) = 0;
  /// The next number 0, 1, 2, … of a counter shared by all ranks: each number goes to exactly one
  /// caller. Not a collective: ranks call it whenever they are free. reset_counter() is one, and
  /// sets it to 0.
  virtual int64_t next_ticket() = 0;
  virtual void reset_counter() = 0;
  /// Tells the other ranks that this one fails with `exit_code`, so that none waits for it, and
  /// does not return normally where the backend can end the whole job (MPI_Abort).
  virtual void abort(int exit_code) noexcept = 0;

 protected:
  const std::string& phase() const noexcept { return phase_; }
  /// Phase and step, for errors: "block 7, 02-sft step 41".
  std::string place() const {
    const std::string step = note_->step();
    return phase_.empty() || step.empty() ? phase_ + step : phase_ + ", " + step;
  }

 private:
  std::string phase_;
  std::shared_ptr<CallNote> note_ = std::make_shared<CallNote>();
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_COMMUNICATOR_H_
