#ifndef XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_
#define XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_

#include <cstdint>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include "distributed/sharding/shard_layout.h"
#include "distributed/sharding/shard_policy.h"

namespace xkde::dist {

/// How the engine trains a model; no option changes what it computes beyond rounding.
struct EngineOptions {
  c10::ScalarType compute_dtype = c10::kFloat;  ///< fp32 or bf16, over fp32 masters
  ShardMode shard = ShardMode::kGrads;
  int replicate = 1;  ///< copies of the model, each in shards on size / replicate ranks
  Recompute recompute = Recompute::kNone;
  c10::ScalarType grad_reduce_dtype = c10::kFloat;  ///< fp32 or bf16: gradients between ranks
  int64_t prefetch = 0;               ///< units that are gathered ahead of the one that computes
  bool offload_optimizer = false;     ///< masters (and so the optimizer) in host memory
  int64_t shard_align = kShardAlign;  ///< of the state that is trained: whole blocks of moments
  /// One shard, too, frees a unit's weights when it has computed, and makes them from the masters
  /// again. Where the masters are the weights there is nothing to free.
  bool frees_weights = false;
  c10::Device device = c10::kCPU;

  const ShardPolicy& policy() const { return policy_of(shard); }
  /// Copies of the model on `ranks` ranks: `replicate`, or all ranks without shards.
  int num_copies(int ranks) const { return policy().shards ? replicate : ranks; }
  /// Shards of one copy of the model on `ranks` ranks.
  int num_shards(int ranks) const { return ranks / num_copies(ranks); }
  /// Whether the weights of whole units stay through a step.
  bool weights_stay(int num_shards) const {
    return num_shards == 1 ? !frees_weights : policy().weights_stay;
  }
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_
