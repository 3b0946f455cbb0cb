#ifndef XKDE_CORE_OPTIM_OPTIMIZER_KIND_H_
#define XKDE_CORE_OPTIM_OPTIMIZER_KIND_H_

#include <cstdint>
#include <string_view>

#include "core/base/error.h"

namespace xkde {

enum class OptimizerKind : int8_t {
  kAdamW,      ///< moments in fp32
  kAdamW8bit,  ///< moments in a byte each, in blocks with a scale
};

/// What there is to say about one of them.
struct OptimizerEntry {
  std::string_view name;  ///< in recipes
  OptimizerKind value;
  int64_t moment_bytes;  ///< of both moments of `block` elements, scales included
  int64_t block;         ///< elements that share a scale; a shard has whole blocks
};
inline constexpr OptimizerEntry kOptimizers[] = {
    {"adamw", OptimizerKind::kAdamW, 8, 1},
    {"adamw_8bit", OptimizerKind::kAdamW8bit, 2 * (256 + 4), 256}};

constexpr const OptimizerEntry& entry_of(OptimizerKind kind) {
  for (const OptimizerEntry& entry : kOptimizers) {
    if (entry.value == kind) return entry;
  }
  throw InternalError("an optimizer without an entry");
}

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_OPTIMIZER_KIND_H_
