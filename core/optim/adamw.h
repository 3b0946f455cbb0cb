#ifndef XKDE_CORE_OPTIM_ADAMW_H_
#define XKDE_CORE_OPTIM_ADAMW_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/optim/optimizer.h"

namespace xkde {

/// AdamW with decoupled weight decay on a flat fp32 state, one pass over memory. Same arithmetic as
/// torch.optim.AdamW. Source: arXiv:1711.05101.
class AdamW final : public Optimizer {
 public:
  /// As make_optimizer().
  AdamW(int64_t numel, AdamWOptions options, std::vector<DecayRange> ranges,
        at::Device device = at::kCPU);

  void step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
            const at::Tensor& gradient_scale) override;
  /// "exp_avg" and "exp_avg_sq", fp32 [numel].
  std::vector<std::pair<std::string, at::Tensor>> state() const override {
    return {{"exp_avg", exp_avg_}, {"exp_avg_sq", exp_avg_sq_}};
  }

 private:
  AdamWOptions options_;
  std::vector<DecayRange> ranges_;
  at::Tensor exp_avg_, exp_avg_sq_;
};

/// Sum of the squares of an fp32 tensor, fp64 [] on its device, accumulated in an order that does
/// not depend on the number of threads.
at::Tensor sum_of_squares(const at::Tensor& values);

/// What gradients of this global norm are multiplied with, so that it is at most `max_norm`: fp64
/// [], where `norm` is. As torch.nn.utils.clip_grad_norm_.
at::Tensor clip_scale(const at::Tensor& norm, double max_norm);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_ADAMW_H_
