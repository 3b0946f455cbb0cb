#ifndef XKDE_DISTRIBUTED_SHARDING_GRADIENT_SUMS_H_
#define XKDE_DISTRIBUTED_SHARDING_GRADIENT_SUMS_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "distributed/comm/communicator.h"
#include "distributed/sharding/process_mesh.h"
#include "distributed/sharding/shard_layout.h"
#include "distributed/sharding/shard_policy.h"

namespace xkde::dist {

struct GradientOptions {
  at::ScalarType reduce_dtype = at::kFloat;  ///< fp32 or bf16: what travels between ranks
  at::Device device = at::kCPU;
  ReduceWhen reduce_when = ReduceWhen::kEachPack;
};

/// Sums the gradients of a step over packs and ranks. Blocks are handed over pack by pack, last
/// unit first; the embedding and the head, whose gradients several units add to, have fp32
/// accumulators. Reductions run while the caller goes on, as far as the communicator lets them.
/// Every rank makes the same calls in the same order. Nothing is allocated before the first one.
class GradientSums {
 public:
  /// `layout` and `mesh` outlive it.
  GradientSums(const ShardLayout& layout, const ProcessMesh& mesh, GradientOptions options);

  /// fp32 [layout.state_numel]; complete after finish().
  at::Tensor& shard();
  void begin_step();
  /// fp32, a whole unit: this rank's sums over the packs of the step, zero at first.
  at::Tensor accumulator(size_t unit);
  /// The gradients of one block, in the order of its tensors, of one pack; none: this rank had no
  /// pack. `last`: no other pack of the step follows.
  void add(size_t unit, std::span<const at::Tensor> gradients, bool last);
  /// An accumulator is complete.
  void close(size_t unit);
  /// Orders what follows after all sums; returns their global 2-norm, fp64 [], on the device.
  at::Tensor finish();

 private:
  struct Reduction {  // of one unit over the shards, on its way
    size_t unit;
    at::Tensor full, result;
    bool first, last;  ///< of the unit in this step
    std::unique_ptr<Work> work;
  };
  struct CopySum {  // of one unit over the copies, on its way
    at::Tensor slice, sum;
    std::unique_ptr<Work> work;
  };
  bool alone() const { return mesh_.num_shards() == 1; }
  at::Tensor slice(size_t unit);
  at::Tensor local_sum(size_t unit);
  void write(size_t unit, const at::Tensor& flat, std::span<const at::Tensor> gradients,
             bool overwrite) const;
  at::Tensor next_buffer(size_t unit);
  void scatter(size_t unit, at::Tensor full, bool last);
  void complete_first();
  void sum_copies(size_t unit);

  const ShardLayout& layout_;
  const ProcessMesh& mesh_;
  GradientOptions options_;
  at::Tensor shard_;                      ///< by shard()
  std::vector<at::Tensor> accumulators_;  ///< fp32, by unit: whole sums of this rank, where needed
  std::vector<char> local_stale_;         ///< by unit: local_sum() is of an earlier step
  std::vector<char> slice_stale_;         ///< by unit: the shard's slice is of an earlier step
  std::vector<at::Tensor> buffers_;       ///< of blocks on their way, used in turn
  size_t turn_ = 0;
  std::deque<Reduction> reductions_;
  std::vector<CopySum> copy_sums_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_GRADIENT_SUMS_H_
