#ifndef XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_
#define XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "distributed/comm/communicator.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/shard_layout.h"
#include "distributed/sharding/unit_memory.h"

namespace xkde::dist {

struct GatherOptions {
  at::ScalarType dtype = at::kFloat;
  at::Device device = at::kCPU;
  bool stays = true;  ///< done() and invalidate() keep the memory
};
GatherOptions gather_options(const EngineOptions& options, int num_shards);

/// The weights of whole units, as a pass over them asks for them. Every rank makes the same calls
/// in the same order.
class UnitSource {
 public:
  virtual ~UnitSource() = default;
  /// Begins to bring a unit, unless it is there or on the way.
  virtual void start(size_t unit) = 0;
  /// The unit's flat vector, in the compute dtype, when it is there. What a kept graph holds into
  /// it is valid whenever it is there.
  virtual const at::Tensor& get(size_t unit) = 0;
  virtual bool has(size_t unit) const noexcept = 0;
  /// The unit is needed no more for now, and goes unless it stays.
  virtual void done(size_t unit) = 0;
  /// What the units are made from has changed: none is there any more.
  virtual void invalidate() = 0;
};

/// Units that are gathered from shards: fp32 masters, or frozen weights of the compute dtype.
class GatheredWeights final : public UnitSource {
 public:
  /// `layout`, `master` ([layout.state_numel]) and `shards` outlive it.
  GatheredWeights(const ShardLayout& layout, const at::Tensor& master, Communicator& shards,
                  GatherOptions options);

  void start(size_t unit) override;
  /// [num_shards * shard_numel].
  const at::Tensor& get(size_t unit) override;
  bool has(size_t unit) const noexcept override { return units_[unit].filled; }
  void done(size_t unit) override;
  void invalidate() override;

 private:
  struct Unit {
    at::Tensor flat;
    std::unique_ptr<Work> pending;
    bool filled = false;
  };
  void release(size_t unit);

  const ShardLayout& layout_;
  const at::Tensor& master_;
  Communicator& shards_;
  GatherOptions options_;
  bool aliases_;  ///< the masters themselves are the weights
  UnitMemory memory_;
  std::vector<Unit> units_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_GATHERED_WEIGHTS_H_
