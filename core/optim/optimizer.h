#ifndef XKDE_CORE_OPTIM_OPTIMIZER_H_
#define XKDE_CORE_OPTIM_OPTIMIZER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/optim/optimizer_kind.h"

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

/// What updates a flat fp32 state by its gradients.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  /// One update: gradients are multiplied by `gradient_scale` (clipping), fp64 [], first. fp32
  /// [numel] each. Off the CPU nobody waits for the device, and `gradient` is left multiplied.
  virtual void step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
                    const at::Tensor& gradient_scale) = 0;
  /// What it remembers beside steps_done(), by name, on its device: flat tensors whose type and
  /// length StateForm tells. They are its own: who writes to them changes its state.
  virtual std::vector<std::pair<std::string, at::Tensor>> state() const = 0;

  int64_t steps_done() const noexcept { return steps_done_; }
  void set_steps_done(int64_t steps) noexcept { steps_done_ = steps; }

 protected:
  int64_t steps_done_ = 0;
};

/// `ranges` cover what is updated; elements outside them (padding) stay untouched.
std::unique_ptr<Optimizer> make_optimizer(OptimizerKind kind, int64_t numel, AdamWOptions options,
                                          std::vector<DecayRange> ranges,
                                          at::Device device = at::kCPU);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_OPTIMIZER_H_
