#ifndef XKDE_CORE_EDITING_TARGET_LOSS_H_
#define XKDE_CORE_EDITING_TARGET_LOSS_H_

#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/editing/request_tokens.h"
#include "core/loss/token_loss.h"
#include "core/model/token_tree.h"

namespace xkde {

/// The request's tokens with a label for each of its target's; the labels' weights add up to
/// `weight`.
TreeSequence labelled(RequestTokens tokens, double weight = 1.0);

/// Σ weight · −log p of a batch's labels, and how it follows from tensors that rows depend on.
struct TargetLoss {
  at::Tensor losses;                  ///< of each label, with its weight, fp32 [L]
  std::vector<at::Tensor> gradients;  ///< of the leaves, in their order
};

/// `top` [T, D]: the rows behind the last block, with a graph that leads to `leaves`.
TargetLoss target_loss(const EditableModel& model, const at::Tensor& top, const PackedBatch& batch,
                       const std::vector<at::Tensor>& leaves);

/// Adds each label's loss to that of the sequence that it belongs to; `sums` fp64 in host memory.
void add_by_sequence(at::Tensor& sums, const TargetLoss& loss, const PackedBatch& batch);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_TARGET_LOSS_H_
