#ifndef XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_
#define XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace xkde::dist {

/// How much of the state a rank holds. Masters, moments and gradient sums are in shards, except
/// with kNone; see docs/decisions/0001-sharded-engine.md.
enum class ShardMode {
  kFull,       ///< a unit's weights exist only while it computes (ZeRO-3)
  kGrads,      ///< the gathered weights stay through the step (ZeRO-2)
  kOptimizer,  ///< and a rank's whole gradient sums, which are scattered once a step (ZeRO-1)
  kNone,       ///< every rank holds everything (data parallel)
};
/// "full", "grads", "optimizer", "none", as in a recipe, and back.
constexpr std::string_view name_of(ShardMode mode) {
  switch (mode) {
    case ShardMode::kFull:
      return "full";
    case ShardMode::kGrads:
      return "grads";
    case ShardMode::kOptimizer:
      return "optimizer";
    case ShardMode::kNone:
      break;
  }
  return "none";
}

/// What the backward pass does with the activations of a block.
enum class Recompute {
  kBlock,  ///< keep the block's input, compute the rest again
  kNone,   ///< keep all
};
constexpr std::string_view name_of(Recompute recompute) {
  return recompute == Recompute::kBlock ? "block" : "none";
}

inline std::optional<ShardMode> shard_mode_from(std::string_view name) {
  for (const ShardMode mode :
       {ShardMode::kFull, ShardMode::kGrads, ShardMode::kOptimizer, ShardMode::kNone}) {
    if (name == name_of(mode)) return mode;
  }
  return std::nullopt;
}
inline std::optional<Recompute> recompute_from(std::string_view name) {
  for (const Recompute recompute : {Recompute::kBlock, Recompute::kNone}) {
    if (name == name_of(recompute)) return recompute;
  }
  return std::nullopt;
}

/// How the engine trains a model; no option changes what it computes beyond rounding.
struct EngineOptions {
  c10::ScalarType compute_dtype = c10::kFloat;  ///< fp32 or bf16, over fp32 masters
  ShardMode shard = ShardMode::kGrads;
  int replicate = 1;  ///< copies of the model, each in shards on size / replicate ranks; kNone: all
  Recompute recompute = Recompute::kNone;
  c10::ScalarType grad_reduce_dtype = c10::kFloat;  ///< fp32 or bf16: gradients between ranks
  int64_t prefetch = 0;            ///< units that are gathered ahead of the one that computes
  bool offload_optimizer = false;  ///< masters (and so the optimizer) in host memory
  c10::Device device = c10::kCPU;

  /// Shards of one copy of the model on `ranks` ranks.
  int num_shards(int ranks) const { return shard == ShardMode::kNone ? 1 : ranks / replicate; }
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_ENGINE_OPTIONS_H_
