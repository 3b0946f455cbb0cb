#include "distributed/sharding/unit_schedule.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/trace/trace_spans.h"

namespace xkde::dist {
namespace {

/// The tokens of a batch, int64 [T]; undefined without one.
at::Tensor ids_of(const PackedBatch* batch) {
  return batch != nullptr ? batch->input_ids : at::Tensor();
}

}  // namespace

UnitSchedule::UnitSchedule(const Decoder& decoder, const EngineOptions& options,
                           UnitSource& weights, UnitSource* beside)
    : decoder_(decoder), options_(options), weights_(weights), beside_(beside) {}

void UnitSchedule::start(size_t unit, int direction) {
  weights_.start(unit);
  const auto last = static_cast<int64_t>(decoder_.head_unit());
  for (int64_t ahead = 1; ahead <= options_.prefetch; ++ahead) {
    const int64_t next = static_cast<int64_t>(unit) + direction * ahead;
    if (next >= 1 && next <= last) weights_.start(static_cast<size_t>(next));
  }
}

std::vector<at::Tensor> UnitSchedule::gathered(size_t unit) {
  return decoder_.parameters(unit, weights_.get(unit));
}

std::vector<at::Tensor> UnitSchedule::parameters(size_t unit, int direction) {
  start(unit, direction);
  std::vector<at::Tensor> parameters = gathered(unit);
  const bool is_block = unit > 0 && unit < decoder_.head_unit();
  if (is_block && beside_ != nullptr) beside_->get(unit - 1);
  return parameters;
}

void UnitSchedule::release(size_t unit) {
  weights_.done(unit);
  const bool is_block = unit > 0 && unit < decoder_.head_unit();
  if (is_block && beside_ != nullptr) beside_->done(unit - 1);
}

OutputLayer UnitSchedule::output_layer() {
  return {gathered(decoder_.output_unit()).back(), decoder_.logit_cap()};
}

BlockContext UnitSchedule::begin(const PackedBatch* batch) {
  start(0, 1);  // the embedding is on its way while the context is made
  return batch != nullptr ? decoder_.context(*batch, options_.compute_dtype) : BlockContext{};
}

at::Tensor UnitSchedule::forward_to_loss(const PackedBatch* batch, const BlockContext& context,
                                         const Block& block, const LossOfLogProbs& loss,
                                         HeadSums sums, at::Tensor& x_grad) {
  const size_t head = decoder_.head_unit();
  UnitPass pass{.weights = [this](size_t unit) { return parameters(unit, 1); }, .block = block};
  pass.done = [&](size_t unit) {
    // A tied embedding is the head's matrix, too; the last block is needed again at once.
    const bool stays = unit == 0 ? decoder_.tied() : unit + 1 == head;
    if (!stays) release(unit);
  };
  const at::Tensor x = decoder_.forward(ids_of(batch), context, pass);  // [T, D]
  parameters(head, -1);
  const auto fp64 = at::TensorOptions().dtype(at::kDouble).device(options_.device);
  at::Tensor value = batch != nullptr ? backward_head(*batch, x, loss, std::move(sums), x_grad)
                                      : at::zeros({}, fp64);
  release(head);
  release(0);
  return value;
}

at::Tensor UnitSchedule::backward_head(const PackedBatch& batch, const at::Tensor& x,
                                       const LossOfLogProbs& loss, HeadSums sums,
                                       at::Tensor& x_grad) {
  const TraceSpan span(TraceLane::kCompute, "head");
  const OutputLayer output = output_layer();
  std::vector<at::Tensor> inputs;  // [L, D] and, where it is trained, [D]
  at::Tensor hidden;               // [L, D]
  {
    const c10::AutoGradMode with_graph(true);
    // variable_data(): with a version counter of its own, as the storage of weights is filled
    // again.
    inputs.push_back(x.index_select(0, batch.label_rows).variable_data().requires_grad_(true));
    at::Tensor norm = gathered(decoder_.head_unit()).front().variable_data();
    if (sums.norm.defined()) inputs.push_back(norm.requires_grad_(true));
    hidden = decoder_.final_norm(inputs.front(), norm);
  }
  LabelLoss given{.loss = {}, .weights = batch.label_weights};
  if (loss) given = loss(linear_log_probs(hidden.detach(), output, batch.label_targets));
  const TokenLoss tokens = linear_cross_entropy(hidden.detach(), output, batch.label_targets,
                                                given.weights, sums.matrix);
  const std::vector<at::Tensor> grads =
      torch::autograd::grad({hidden}, inputs, {tokens.hidden_grad});
  if (sums.norm.defined()) sums.norm.add_(grads[1]);
  x_grad = at::zeros_like(x).index_add_(0, batch.label_rows, grads[0]);  // [T, D]
  return loss ? given.loss : tokens.loss;
}

at::Tensor UnitSchedule::log_probs(const PackedBatch* batch, const BlockContext& context,
                                   const Block& block) {
  const size_t head = decoder_.head_unit();
  UnitPass pass{.weights = [this](size_t unit) { return parameters(unit, 1); }, .block = block};
  pass.done = [this](size_t unit) {
    if (unit > 0 || !decoder_.tied()) release(unit);
  };
  const at::Tensor x = decoder_.forward(ids_of(batch), context, pass);  // [T, D]
  const at::Tensor norm = parameters(head, 1).front();                  // [D]
  at::Tensor result;                                                    // fp32 [L]
  if (batch != nullptr) {
    const at::Tensor hidden =
        decoder_.final_norm(x.index_select(0, batch->label_rows), norm);  // [L, D]
    result = linear_log_probs(hidden, output_layer(), batch->label_targets);
  }
  release(head);
  release(0);
  return result;
}

}  // namespace xkde::dist
