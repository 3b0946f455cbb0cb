#ifndef XKDE_CORE_OPTIM_ADAMW_8BIT_H_
#define XKDE_CORE_OPTIM_ADAMW_8BIT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/optim/optimizer.h"

namespace xkde {

/// AdamW whose moments are kept in DynamicCode: a byte for each element and a fp32 scale for each
/// block. An update decodes a block, is that of AdamW, and encodes it. Source: arXiv:2110.02861.
class AdamW8bit final : public Optimizer {
 public:
  /// As make_optimizer(). `numel` is a multiple of DynamicCode::kBlock.
  AdamW8bit(int64_t numel, AdamWOptions options, std::vector<DecayRange> ranges,
            at::Device device = at::kCPU);

  void step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
            const at::Tensor& gradient_scale) override;
  /// "exp_avg.codes", uint8 [numel], "exp_avg.scales", fp32 [numel / kBlock], and those of
  /// "exp_avg_sq".
  std::vector<std::pair<std::string, at::Tensor>> state() const override;

  /// step() by whole tensors in pieces, for devices that are no CPU: the same but for rounding.
  void step_by_tensors(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
                       const at::Tensor& gradient_scale);

 private:
  struct Moment {
    at::Tensor codes, scales;
  };
  void step_on_cpu(float* master, const float* gradient, double learning_rate, float scale);
  void update_block(int64_t block, float* master, const float* gradient, double learning_rate,
                    float scale);

  AdamWOptions options_;
  std::vector<DecayRange> ranges_;
  Moment exp_avg_, exp_avg_sq_;
};

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_ADAMW_8BIT_H_
