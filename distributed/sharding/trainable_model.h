#ifndef XKDE_DISTRIBUTED_SHARDING_TRAINABLE_MODEL_H_
#define XKDE_DISTRIBUTED_SHARDING_TRAINABLE_MODEL_H_

#include <vector>

#include <ATen/core/Tensor.h>

#include "core/loss/label_loss.h"
#include "core/model/token_tree.h"
#include "core/optim/adamw.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// A model as a training loop sees it: flat fp32 masters, and a step that fills their gradients.
/// Every rank makes the same calls in the same order.
class TrainableModel {
 public:
  virtual ~TrainableModel() = default;

  virtual const ShardLayout& layout() const noexcept = 0;
  virtual at::Tensor& master() noexcept = 0;  ///< fp32 [layout().state_numel]
  /// fp32, as master(), on the device. Nothing is allocated for it before the first call or step.
  virtual at::Tensor& gradient() = 0;
  virtual std::vector<DecayRange> decay_ranges() const = 0;  ///< of this rank's state
  /// To be called after master() has been written to from outside.
  virtual void masters_changed() = 0;

  /// Clears the gradient sums.
  virtual void begin_step() = 0;
  /// Adds the gradients of one batch and returns its part of the loss, the sum of weight *
  /// cross-entropy: fp64 [], on the device, which nobody waits for here. Null: this rank has no
  /// batch left while others have. `last`: of this step, on all ranks. Where `loss` is given, it
  /// takes the place of the batch's weights; the head then runs twice.
  virtual at::Tensor forward_backward(const PackedBatch* batch, bool last,
                                      const LossOfLogProbs& loss = nullptr) = 0;
  /// Completes the gradient sums over ranks; returns their global 2-norm, fp64 [], on the device.
  virtual at::Tensor finish_gradients() = 0;
  /// The log-probability of each label, fp32 [L]; no gradients, and no weights stay gathered that a
  /// step would free. Null as above.
  virtual at::Tensor log_probs(const PackedBatch* batch) = 0;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_TRAINABLE_MODEL_H_
