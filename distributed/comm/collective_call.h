#ifndef XKDE_DISTRIBUTED_COMM_COLLECTIVE_CALL_H_
#define XKDE_DISTRIBUTED_COMM_COLLECTIVE_CALL_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "distributed/comm/communicator.h"

namespace xkde::dist {

enum class Operation : int32_t {
  kAllReduce,
  kAllGather,
  kReduceScatter,
  kBroadcast,
  kBarrier,
  kAllGatherBytes,
  kBroadcastBytes,
  kResetCounter,
};

/// What one rank asks for, as ranks compare it before any data moves. Plain memory: it crosses
/// processes as it is.
struct CollectiveCall {
  Operation operation = Operation::kBarrier;
  int32_t dtype = -1;         ///< at::ScalarType of the input, -1 without tensors
  int32_t result_dtype = -1;  ///< at::ScalarType of the output
  int32_t reduce = -1;        ///< ReduceOp, -1 without a reduction
  int32_t root = -1;          ///< -1 without a root
  int64_t numel = 0;          ///< elements of one rank's part
  int64_t sequence = 0;       ///< 1, 2, ... within the group
  int64_t bytes = 0;          ///< of this rank's string; ranks may differ
};

/// "all_gather #12 (block 7)", without a phase "all_gather #12".
std::string title(const CollectiveCall& call, std::string_view phase = {});
/// "all_gather #12 (block 7) of group shards, 02-sft step 41".
std::string title(const CallNote::Content& note);
/// "all_gather(Float, 20 elements)".
std::string describe(const CollectiveCall& call);
/// Throws CommError unless all ranks (calls[r] is that of rank r) ask for the same.
void check_agreement(const std::string& group, std::span<const CollectiveCall> calls);

/// The call of each collective, its arguments checked: contiguous, on `device`, of a carried dtype,
/// sizes that fit together, `root` a rank. Throws InternalError: only a bug breaks these.
struct CallChecker {
  int size;
  c10::DeviceType device;

  CollectiveCall all_reduce(const at::Tensor& tensor, ReduceOp op) const;
  /// `rank`: whose slice of `full` the shard may be.
  CollectiveCall all_gather(const at::Tensor& full, const at::Tensor& shard, int rank) const;
  CollectiveCall reduce_scatter(const at::Tensor& shard, const at::Tensor& full, ReduceOp op,
                                int rank) const;
  CollectiveCall broadcast(const at::Tensor& tensor, int root) const;
  CollectiveCall broadcast_bytes(const std::string& bytes, int root, int rank) const;
};

/// A collective that was over before its call returned.
class FinishedWork final : public Work {
 public:
  void wait() override {}
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_COMM_COLLECTIVE_CALL_H_
