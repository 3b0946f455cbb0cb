#include "distributed/planner/ask_memory.h"

#include <algorithm>

#include <c10/core/ScalarTypeToTypeMeta.h>

#include "core/nn/device_memory.h"

namespace xkde::dist {
namespace {

constexpr int64_t kFloatBytes = 4;
// Shapes of the products of a pass without gradients: four of a block, attention's, the head's.
constexpr int64_t kProductsOfPass = 6;

int64_t element_bytes(c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); }

}  // namespace

int64_t AskMemory::peak() const {
  return weights + edits + editor + moments + runtime + std::max(editing, passes + cache + logits);
}

std::array<std::pair<std::string_view, int64_t>, 9> AskMemory::items() const {
  return {{{"weights", weights},
           {"edits", edits},
           {"editor", editor},
           {"editing", editing},
           {"moments", moments},
           {"passes", passes},
           {"key cache", cache},
           {"logits", logits},
           {"runtime", runtime}}};
}

int64_t asked_weight_bytes(const ModelShape& model, const EngineOptions& options, int ranks,
                           WeightsHeld held) {
  const int shards = options.num_shards(ranks);
  const int64_t w = element_bytes(options.compute_dtype);
  const int64_t own = state_numel(model, shards);
  const int64_t whole = w * own * shards;
  if (held == WeightsHeld::kMasters) {
    const bool is_away = options.offload_optimizer && options.device.is_cuda();
    const bool masters_serve = shards == 1 && w == kFloatBytes && !is_away;
    return (is_away ? 0 : kFloatBytes * own) + (masters_serve ? 0 : whole);
  }
  const bool shards_serve = shards == 1 && held == WeightsHeld::kFrozen;
  return w * own + (shards_serve ? 0 : whole);
}

AskMemory predict_asking(const ModelShape& model, const EngineOptions& options,
                         const AskShape& shape, const MemoryConstants& constants) {
  const int64_t w = element_bytes(options.compute_dtype);
  AskMemory bytes;
  // In the MLP: the rows before it and normed, both halves, their product.
  const int64_t in_mlp = 2 * model.hidden + 3 * model.inner;
  const int64_t in_attention = 2 * model.hidden + 2 * model.queries + 2 * model.keys;
  bytes.passes = w * shape.rows * std::max(in_mlp, in_attention);
  // On a CPU they are kept in fp32.
  const int64_t element = options.device.is_cpu() ? kFloatBytes : w;
  bytes.cache = element * shape.cached_tokens * model.layers * 2 * model.keys;
  // In the compute dtype and in fp32, and which of them is the largest.
  bytes.logits =
      shape.logit_rows * model.vocabulary * (kFloatBytes + (w == kFloatBytes ? 0 : w) + 1);
  bytes.runtime = constants.runtime_bytes;
  if (options.device.is_cpu() && options.compute_dtype == c10::kBFloat16) {
    bytes.runtime -= cached_product_bytes(kCachedProducts) -
                     cached_product_bytes(kProductsOfPass * shape.passes);
  }
  return bytes;
}

}  // namespace xkde::dist
