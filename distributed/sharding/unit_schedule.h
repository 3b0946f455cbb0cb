#ifndef XKDE_DISTRIBUTED_SHARDING_UNIT_SCHEDULE_H_
#define XKDE_DISTRIBUTED_SHARDING_UNIT_SCHEDULE_H_

#include <cstddef>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/loss/label_loss.h"
#include "core/loss/token_loss.h"
#include "core/model/decoder.h"
#include "core/model/token_tree.h"
#include "distributed/sharding/engine_options.h"
#include "distributed/sharding/gathered_weights.h"

namespace xkde::dist {

/// Where the head adds its gradients, fp32. Undefined ones are not made.
struct HeadSums {
  at::Tensor matrix;  ///< [V, D]
  at::Tensor norm;    ///< [D]
};

/// The passes of a model over its units, as all models make them: what a unit needs is gathered
/// before it computes, with some units ahead, and goes when it is done. Every rank makes the same
/// calls in the same order.
class UnitSchedule {
 public:
  /// x [T, D] -> [T, D] through a block.
  using Block = std::function<at::Tensor(size_t unit, const std::vector<at::Tensor>& weights,
                                         const at::Tensor& x)>;

  /// `beside`: what each block needs besides, in a unit for each block; may be null. The
  /// references outlive it.
  UnitSchedule(const Decoder& decoder, const EngineOptions& options, UnitSource& weights,
               UnitSource* beside = nullptr);

  /// Begins a forward pass, and returns what its blocks share; nothing without a pack.
  BlockContext begin(const PackedBatch* batch);
  /// Gathers what the unit needs, and begins to gather the next units in `direction`.
  std::vector<at::Tensor> parameters(size_t unit, int direction);
  /// The unit is done.
  void release(size_t unit);

  /// Through all blocks, and the head's loss forward and backward, as
  /// TrainableModel::forward_backward(). `x_grad` gets the gradient of the last block's output.
  at::Tensor forward_to_loss(const PackedBatch* batch, const BlockContext& context,
                             const Block& block, const LossOfLogProbs& loss, HeadSums sums,
                             at::Tensor& x_grad);
  /// As TrainableModel::log_probs(). A null `block` is Decoder::block.
  at::Tensor log_probs(const PackedBatch* batch, const BlockContext& context, const Block& block);

 private:
  void start(size_t unit, int direction);
  std::vector<at::Tensor> gathered(size_t unit);
  OutputLayer output_layer();
  at::Tensor backward_head(const PackedBatch& batch, const at::Tensor& x,
                           const LossOfLogProbs& loss, HeadSums sums, at::Tensor& x_grad);

  const Decoder& decoder_;
  const EngineOptions& options_;
  UnitSource& weights_;
  UnitSource* beside_;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_UNIT_SCHEDULE_H_
