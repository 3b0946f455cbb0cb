#include "core/editing/target_loss.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {

TreeSequence labelled(RequestTokens tokens, double weight) {
  TreeSequence sequence{std::move(tokens.ids), {}};
  const double each = weight / static_cast<double>(tokens.target_ids.size());
  int64_t position = tokens.first_prediction;
  for (const int64_t target : tokens.target_ids)
    sequence.labels.push_back({position++, target, each});
  return sequence;
}

TargetLoss target_loss(const EditableModel& model, const at::Tensor& top, const PackedBatch& batch,
                       const std::vector<at::Tensor>& leaves) {
  at::Tensor normed;
  {
    const c10::AutoGradMode with_graph(true);
    normed = model.decoder.final_norm(top.index_select(0, batch.label_rows),
                                      model.weights(model.decoder.head_unit()).front());
  }
  const OutputLayer output(model.weights(model.decoder.output_unit()).back(),
                           model.decoder.logit_cap());
  at::Tensor no_gradient;
  const TokenLoss loss = linear_cross_entropy(normed.detach(), output, batch.label_targets,
                                              batch.label_weights, no_gradient);
  return {-loss.log_probs * batch.label_weights,
          torch::autograd::grad({normed}, leaves, {loss.hidden_grad})};
}

void add_by_sequence(at::Tensor& sums, const TargetLoss& loss, const PackedBatch& batch) {
  const at::Tensor owners = at::tensor(batch.label_sequence, at::TensorOptions().dtype(at::kLong));
  sums.index_add_(0, owners, loss.losses.cpu().to(at::kDouble));
}

}  // namespace xkde
