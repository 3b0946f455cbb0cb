#ifndef XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_
#define XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "distributed/comm/communicator.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

struct GatherOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  bool stays = true;  ///< done() and invalidate() keep the memory
};
GatherOptions gather_options(const EngineOptions& options, int num_shards);

/// The weights of whole units in the compute dtype, gathered from shards: fp32 masters, or frozen
/// weights of that dtype. A unit has one storage, which is filled, emptied and filled again: what a
/// kept graph holds into it is valid whenever it is filled. Every rank makes the same calls in the
/// same order.
class GatheredWeights {
 public:
  /// `layout`, `master` ([layout.state_numel]) and `shards` outlive it.
  GatheredWeights(const ShardLayout& layout, const at::Tensor& master, Communicator& shards,
                  GatherOptions options);

  /// Begins to gather a unit, unless it is there or on the way.
  void start(size_t unit);
  /// The unit's flat vector [num_shards * shard_numel], when it is there.
  const at::Tensor& get(size_t unit);
  bool has(size_t unit) const noexcept { return units_[unit].filled; }
  /// The unit is needed no more for now: its storage is emptied, unless units stay.
  void done(size_t unit);
  /// The shards have changed: nothing is there any more.
  void invalidate();

 private:
  struct Unit {
    at::Tensor flat;
    std::unique_ptr<Work> pending;
    bool filled = false;
    bool empty = true;  ///< its storage has no memory
  };
  void allocate(Unit& unit, int64_t numel);
  void release(size_t unit);

  const ShardLayout& layout_;
  const at::Tensor& master_;
  Communicator& shards_;
  GatherOptions options_;
  bool aliases_;  ///< the masters themselves are the weights
  std::vector<Unit> units_;
  std::multimap<size_t, at::DataPtr> pool_;  ///< emptied memory by bytes
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_
