#include "distributed/sharding/sharded_model.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/trace/trace_spans.h"
#include "distributed/sharding/model_layout.h"
#include "distributed/sharding/shard_values.h"

namespace xkde::dist {
namespace {

/// A leaf of a graph of its own, with its own version counter: the storage of weights is freed and
/// filled again between the forward and the backward pass, which autograd must not take for a
/// change.
at::Tensor leaf(const at::Tensor& tensor) { return tensor.variable_data().requires_grad_(true); }

std::vector<at::Tensor> leaves(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(leaf(tensor));
  return result;
}

}  // namespace

ShardedModel::ShardedModel(const Decoder& decoder, Communicator& comm, EngineOptions options)
    : RunModel(decoder, options.compute_dtype),
      decoder_(decoder),
      options_(options),
      mesh_(comm, options.num_copies(comm.size())),
      layout_(layout_of(decoder, mesh_.num_shards(), options.shard_align)),
      master_(new_masters(layout_, options)),
      weights_(layout_, master_, mesh_.shards(), gather_options(options, mesh_.num_shards())),
      schedule_(decoder, options_, weights_),
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
  const TraceSpan span(TraceLane::kCompute, "backward", layout_.units[unit].name);
  const std::vector<at::Tensor> weights = schedule_.parameters(unit, -1);
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
  schedule_.release(unit);
  at::Tensor input_grad;
  if (!grads.empty()) {
    input_grad = std::move(grads.back());
    grads.pop_back();
  }
  sums_.add(unit, grads, last);
  return input_grad;
}

at::Tensor ShardedModel::forward_backward(const PackedBatch* batch, bool last,
                                          const LossOfLogProbs& loss) {
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  const size_t owner = decoder_.output_unit();
  std::vector<BlockRun> runs(head);
  const BlockContext context = schedule_.begin(batch);
  const auto block = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    const TraceSpan span(TraceLane::kCompute, "forward", layout_.units[unit].name);
    return forward_block(weights, x, context.of(static_cast<int64_t>(unit) - 1), runs[unit]);
  };
  HeadSums sums;
  if (batch != nullptr) {
    sums = {.matrix = decoder_.parameters(owner, sums_.accumulator(owner)).back(),
            .norm = decoder_.parameters(head, sums_.accumulator(head)).front()};
  }
  at::Tensor x_grad;  // [T, D], of the output of the unit in turn
  const at::Tensor value =
      schedule_.forward_to_loss(batch, context, block, loss, std::move(sums), x_grad);
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
  return schedule_.log_probs(batch, schedule_.begin(batch), nullptr);
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
