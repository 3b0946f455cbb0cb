#ifndef XKDE_CORE_EDITING_ADAM_H_
#define XKDE_CORE_EDITING_ADAM_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// Adam without decay (arXiv:1412.6980), betas 0.9 and 0.999, epsilon 1e-8, in the rounding order
/// of PyTorch. The optimizers of core/optim work on flat shards and keep a schedule; editors train
/// a few tensors that stand where they are.
class Adam {
 public:
  /// Moments of zero for tensors of these shapes.
  Adam(const std::vector<at::Tensor>& tensors, double learning_rate);
  /// Updates the tensors in place.
  void update(std::vector<at::Tensor> tensors, const std::vector<at::Tensor>& gradients);

 private:
  double learning_rate_;
  int64_t steps_ = 0;
  std::vector<at::Tensor> first_, second_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_ADAM_H_
