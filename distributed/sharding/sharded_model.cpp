#include "distributed/sharding/sharded_model.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/loss/token_loss.h"
#include "distributed/sharding/model_layout.h"
#include "distributed/sharding/shard_values.h"

namespace xkde::dist {
namespace {

at::TensorOptions state_options(const EngineOptions& options) {
  const auto fp32 = at::TensorOptions().dtype(at::kFloat);
  if (!options.offload_optimizer) return fp32.device(options.device);
  return fp32.device(at::kCPU).pinned_memory(options.device.is_cuda());
}

/// A leaf of a graph of its own, with its own version counter: the storage of weights is freed and
/// filled again between the forward and the backward pass, which autograd must not take for a
/// change.
at::Tensor leaf(const at::Tensor& tensor) { return tensor.variable_data().requires_grad_(true); }

std::vector<at::Tensor> leaves(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(leaf(tensor));
  return result;
}

/// The tokens of a batch, int64 [T]; undefined without one.
at::Tensor ids_of(const PackedBatch* batch) {
  return batch != nullptr ? batch->input_ids : at::Tensor();
}

}  // namespace

ShardedModel::ShardedModel(const Decoder& decoder, Communicator& comm, EngineOptions options)
    : RunModel(decoder, options.compute_dtype),
      decoder_(decoder),
      options_(options),
      mesh_(comm, options.num_copies(comm.size())),
      layout_(layout_of(decoder, mesh_.num_shards())),
      frees_(!options.policy().weights_stay && mesh_.num_shards() > 1),
      master_(at::zeros({layout_.state_numel}, state_options(options))),
      weights_(layout_, master_, mesh_.shards(),
               {.dtype = options.compute_dtype, .device = options.device, .stays = !frees_}),
      sums_(layout_, mesh_,
            {.reduce_dtype = options.grad_reduce_dtype,
             .device = options.device,
             .reduce_when = options.policy().reduce_when}) {}

void ShardedModel::load(const ReadTensor& read_f32) {
  fill_shard(layout_, mesh_.shard(), read_f32, master_);
  masters_changed();
}

std::vector<DecayRange> ShardedModel::decay_ranges() const {
  return decay_ranges_of(layout_, mesh_.shard());
}

void ShardedModel::masters_changed() { weights_.invalidate(); }

void ShardedModel::begin_step() { sums_.begin_step(); }

void ShardedModel::start(size_t unit, int direction) {
  weights_.start(unit);
  const auto last = static_cast<int64_t>(decoder_.head_unit());
  for (int64_t ahead = 1; ahead <= options_.prefetch; ++ahead) {
    const int64_t next = static_cast<int64_t>(unit) + direction * ahead;
    if (next >= 1 && next <= last) weights_.start(static_cast<size_t>(next));
  }
}

std::vector<at::Tensor> ShardedModel::parameters(size_t unit, int direction) {
  start(unit, direction);
  return decoder_.parameters(unit, weights_.get(unit));
}

OutputLayer ShardedModel::output_layer() {
  const size_t owner = decoder_.output_unit();
  return {decoder_.parameters(owner, weights_.get(owner)).back(), decoder_.logit_cap()};
}

BlockContext ShardedModel::begin_forward(const PackedBatch* batch) {
  start(0, 1);  // the embedding is on its way while the context is made
  return batch != nullptr ? decoder_.context(*batch, options_.compute_dtype) : BlockContext{};
}

void ShardedModel::release(size_t unit) {
  if (frees_) weights_.release(unit);
}

ShardedModel::BlockRun ShardedModel::run_block(const at::Tensor& x, const LayerContext& layer,
                                               const std::vector<at::Tensor>& parameters) const {
  const c10::AutoGradMode with_graph(true);
  BlockRun run{.input = leaf(x), .output = {}, .parameters = leaves(parameters)};
  run.output = decoder_.block(run.parameters, run.input, layer);
  return run;
}

at::Tensor ShardedModel::forward_block(const std::vector<at::Tensor>& weights, const at::Tensor& x,
                                       const LayerContext& layer, BlockRun& run) const {
  if (options_.recompute == Recompute::kNone) {
    run = run_block(x, layer, weights);
    return run.output.detach();
  }
  run.input = x;
  return decoder_.block(weights, x, layer);
}

at::Tensor ShardedModel::backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                                        const BlockContext& context, bool last) {
  const std::vector<at::Tensor> weights = parameters(unit, -1);
  std::vector<at::Tensor> grads;
  if (output_grad.defined()) {
    if (!run.output.defined()) {
      run = run_block(run.input, context.of(static_cast<int64_t>(unit) - 1), weights);
    }
    std::vector<at::Tensor> inputs = run.parameters;
    inputs.push_back(run.input);
    grads = torch::autograd::grad({run.output}, inputs, {output_grad});
    run = BlockRun{};  // frees the activations
  }
  release(unit);
  at::Tensor input_grad;
  if (!grads.empty()) {
    input_grad = std::move(grads.back());
    grads.pop_back();
  }
  sums_.add(unit, grads, last);
  return input_grad;
}

at::Tensor ShardedModel::backward_head(const PackedBatch& batch, const at::Tensor& x,
                                       const LossOfLogProbs& loss, at::Tensor& x_grad) {
  const size_t head = decoder_.head_unit();
  const size_t owner = decoder_.output_unit();
  const OutputLayer output = output_layer();
  at::Tensor rows, norm, hidden;  // [L, D], [D], [L, D]
  {
    const c10::AutoGradMode with_graph(true);
    rows = leaf(x.index_select(0, batch.label_rows));
    norm = leaf(decoder_.parameters(head, weights_.get(head)).front());
    hidden = decoder_.final_norm(rows, norm);
  }
  at::Tensor matrix_grad = decoder_.parameters(owner, sums_.accumulator(owner)).back();  // [V, D]
  LabelLoss given{.loss = {}, .weights = batch.label_weights};
  if (loss) given = loss(linear_log_probs(hidden.detach(), output, batch.label_targets));
  const TokenLoss tokens = linear_cross_entropy(hidden.detach(), output, batch.label_targets,
                                                given.weights, matrix_grad);
  const std::vector<at::Tensor> grads =
      torch::autograd::grad({hidden}, {rows, norm}, {tokens.hidden_grad});  // [L, D], [D]
  decoder_.parameters(head, sums_.accumulator(head)).front().add_(grads[1]);
  x_grad = at::zeros_like(x).index_add_(0, batch.label_rows, grads[0]);  // [T, D]
  return loss ? given.loss : tokens.loss;
}

at::Tensor ShardedModel::forward_backward(const PackedBatch* batch, bool last,
                                          const LossOfLogProbs& loss) {
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  std::vector<BlockRun> runs(head);
  const BlockContext context = begin_forward(batch);
  UnitPass pass{.weights = [this](size_t unit) { return parameters(unit, 1); }};
  pass.block = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    return forward_block(weights, x, context.of(static_cast<int64_t>(unit) - 1), runs[unit]);
  };
  pass.done = [&](size_t unit) {
    // A tied embedding is the head's matrix, too; the last block is needed again at once.
    const bool stays = unit == 0 ? decoder_.tied() : unit + 1 == head;
    if (!stays) release(unit);
  };
  const at::Tensor x = decoder_.forward(ids_of(batch), context, pass);  // [T, D]

  parameters(head, -1);
  const auto fp64 = at::TensorOptions().dtype(at::kDouble).device(options_.device);
  at::Tensor x_grad;  // [T, D], of the output of the unit in turn
  const at::Tensor value =
      batch != nullptr ? backward_head(*batch, x, loss, x_grad) : at::zeros({}, fp64);
  release(head);
  release(0);
  if (last) sums_.close(head);
  for (size_t unit = head - 1; unit >= 1; --unit) {
    x_grad = backward_block(unit, runs[unit], x_grad, context, last);
  }
  if (batch != nullptr) backward_embedding(*batch, x_grad);
  if (last) sums_.close(0);
  return value;
}

at::Tensor ShardedModel::log_probs(const PackedBatch* batch) {
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  const BlockContext context = begin_forward(batch);
  UnitPass pass{.weights = [this](size_t unit) { return parameters(unit, 1); }};
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

void ShardedModel::backward_embedding(const PackedBatch& batch, const at::Tensor& x_grad) {
  at::Tensor rows = x_grad.to(at::kFloat);  // [T, D]
  const double scale = decoder_.embedding_scale(x_grad.scalar_type());
  if (scale != 1.0) rows = rows * scale;
  const int64_t pad = decoder_.config().pad_token_id;
  // As torch.nn.Embedding with a padding_idx, which transformers gives it: looking the token up
  // teaches it nothing, even where it is also the end of a turn.
  if (pad >= 0) rows = rows.masked_fill(batch.input_ids.eq(pad).unsqueeze(1), 0.0);
  at::Tensor embedding_grad = decoder_.parameters(0, sums_.accumulator(0)).front();  // [V, D]
  embedding_grad.index_add_(0, batch.input_ids, rows);
}

void ShardedModel::make_resident() {
  const c10::AutoGradMode without_graph(false);
  for (size_t unit = 0; unit < layout_.units.size(); ++unit) weights_.get(unit);
}

std::vector<at::Tensor> ShardedModel::resident_parameters(size_t unit) {
  XKDE_CHECK(weights_.has(unit), InternalError, "unit ", unit, " before make_resident()");
  return decoder_.parameters(unit, weights_.get(unit));
}

std::map<std::string, at::Tensor> ShardedModel::gather_masters() {
  return gather_tensors(layout_, mesh_, master_, options_.device);
}

}  // namespace xkde::dist
