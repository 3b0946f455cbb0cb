#ifndef XKDE_CORE_OPTIM_ADAMW_H_
#define XKDE_CORE_OPTIM_ADAMW_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 1e-4;
};

/// A range of a flat state and whether weight decay applies to it.
struct DecayRange {
  int64_t begin = 0;
  int64_t end = 0;
  bool decays = true;
};

/// AdamW with decoupled weight decay on a flat fp32 state, one pass over memory. Same arithmetic as
/// torch.optim.AdamW. Source: arXiv:1711.05101.
class AdamW {
 public:
  /// `ranges` cover what is updated; elements outside them (padding) stay untouched.
  AdamW(int64_t numel, AdamWOptions options, std::vector<DecayRange> ranges,
        at::Device device = at::kCPU);

  /// One update: gradients are multiplied by `gradient_scale` (clipping), fp64 [], first. fp32
  /// [numel] each. Off the CPU nobody waits for the device, and `gradient` is left multiplied.
  void step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
            const at::Tensor& gradient_scale);

  int64_t steps_done() const noexcept { return steps_done_; }
  void set_steps_done(int64_t steps) noexcept { steps_done_ = steps; }
  /// What it remembers beside steps_done(), by name: fp32 [numel] each, on its device. The tensors
  /// are its own: who writes to them changes its state.
  std::vector<std::pair<std::string, at::Tensor>> state() const {
    return {{"exp_avg", exp_avg_}, {"exp_avg_sq", exp_avg_sq_}};
  }

 private:
  AdamWOptions options_;
  std::vector<DecayRange> ranges_;
  at::Tensor exp_avg_, exp_avg_sq_;
  int64_t steps_done_ = 0;
};

/// Sum of the squares of an fp32 tensor, fp64 [] on its device, accumulated in an order that does
/// not depend on the number of threads.
at::Tensor sum_of_squares(const at::Tensor& values);

/// What gradients of this global norm are multiplied with, so that it is at most `max_norm`: fp64
/// [], where `norm` is. As torch.nn.utils.clip_grad_norm_.
at::Tensor clip_scale(const at::Tensor& norm, double max_norm);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_ADAMW_H_
