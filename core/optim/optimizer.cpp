#include "core/optim/optimizer.h"

#include "core/optim/adamw.h"
#include "core/optim/adamw_8bit.h"

namespace xkde {

std::unique_ptr<Optimizer> make_optimizer(OptimizerKind kind, int64_t numel, AdamWOptions options,
                                          std::vector<DecayRange> ranges, at::Device device) {
  if (kind == OptimizerKind::kAdamW8bit)
    return std::make_unique<AdamW8bit>(numel, options, std::move(ranges), device);
  return std::make_unique<AdamW>(numel, options, std::move(ranges), device);
}

}  // namespace xkde
