#ifndef XKDE_DISTRIBUTED_SHARDING_SHARD_POLICY_H_
#define XKDE_DISTRIBUTED_SHARDING_SHARD_POLICY_H_

#include <cstdint>
#include <string_view>

#include "core/base/error.h"
#include "core/base/named.h"

namespace xkde::dist {

/// Which policy a recipe names; what it means stands in kShardPolicies.
enum class ShardMode : int8_t { kFull, kGrads, kOptimizer, kNone };

/// When the ranks that hold one copy of the model add up a unit's gradients.
enum class ReduceWhen : int8_t {
  kEachPack,  ///< after each backward pass; a rank keeps its shard of the sums alone
  kLastPack,  ///< once a step; a rank keeps whole sums until then
};

/// How much of the training state a rank holds. The engine, the byte model and the time model read
/// these fields and never ask which mode it is: a new mode is one more row below. See
/// docs/decisions/0001-sharded-engine.md.
struct ShardPolicy {
  std::string_view name;
  ShardMode value;
  bool shards;        ///< a copy of the model is cut into shards; false: every rank is a copy
  bool weights_stay;  ///< gathered weights stay through the step; false: while their unit computes
  ReduceWhen reduce_when;
};

/// The one that holds least comes first.
inline constexpr ShardPolicy kShardPolicies[] = {
    {"full", ShardMode::kFull, true, false, ReduceWhen::kEachPack},           // ZeRO-3
    {"grads", ShardMode::kGrads, true, true, ReduceWhen::kEachPack},          // ZeRO-2
    {"optimizer", ShardMode::kOptimizer, true, true, ReduceWhen::kLastPack},  // ZeRO-1
    {"none", ShardMode::kNone, false, true, ReduceWhen::kLastPack},           // data parallel
};

/// Throws InternalError when the table lacks `mode`.
constexpr const ShardPolicy& policy_of(ShardMode mode) {
  for (const ShardPolicy& policy : kShardPolicies) {
    if (policy.value == mode) return policy;
  }
  throw InternalError(concat("shard mode ", static_cast<int>(mode), " has no policy"));
}

/// What the backward pass does with the activations of a block.
enum class Recompute : int8_t {
  kBlock,  ///< keeps the block's input and computes the rest again
  kNone,   ///< keeps all
};
inline constexpr Named<Recompute> kRecomputeNames[] = {{"block", Recompute::kBlock},
                                                       {"none", Recompute::kNone}};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_SHARD_POLICY_H_
