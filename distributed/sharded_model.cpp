#include "distributed/sharded_model.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/loss/token_loss.h"

namespace xkde::dist {
namespace {

ShardLayout layout_of(const Decoder& decoder, int ranks) {
  std::vector<UnitLayout> units;
  for (const DecoderUnit& unit : decoder.units()) {
    UnitLayout layout{.name = unit.name, .slots = {}};
    for (const UnitTensor& tensor : unit.tensors) {
      layout.slots.push_back({.name = tensor.name, .shape = tensor.shape, .decays = tensor.decays});
    }
    units.push_back(std::move(layout));
  }
  return make_layout(std::move(units), ranks);
}

at::Tensor leaf(const at::Tensor& tensor) { return tensor.detach().requires_grad_(true); }

std::vector<at::Tensor> leaves(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(leaf(tensor));
  return result;
}

}  // namespace

ShardedModel::ShardedModel(const Decoder& decoder, Communicator& comm, ShardedModelOptions options)
    : decoder_(decoder),
      comm_(comm),
      options_(options),
      layout_(layout_of(decoder, comm.size())),
      gathered_(decoder.units().size()),
      accumulators_(decoder.units().size()) {
  XKDE_CHECK(
      options_.shard != ShardMode::kFull || options_.recompute == Recompute::kBlock || alone(),
      ConfigError, "parallel.recompute: expected block with shard: full, found none");
  const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(options_.device);
  master_ = at::zeros({layout_.state_numel}, fp32);
  gradient_ = at::zeros({layout_.state_numel}, fp32);
}

at::Tensor ShardedModel::shard_of(const at::Tensor& state, size_t unit) const {
  const UnitLayout& layout = layout_.units[unit];
  return state.narrow(0, layout.shard_offset, layout.shard_numel);
}

void ShardedModel::load(const std::function<void(const std::string&, std::span<float>)>& read_f32) {
  for (const UnitLayout& unit : layout_.units) {
    for (const TensorSlot& slot : unit.slots) {
      at::Tensor whole = at::empty({slot.numel}, at::TensorOptions().dtype(at::kFloat));
      read_f32(slot.name, {whole.mutable_data_ptr<float>(), static_cast<size_t>(slot.numel)});
      for (const ShardPiece& piece : pieces_of(layout_, unit, slot)) {
        if (piece.shard != comm_.rank()) continue;
        master_.narrow(0, piece.state_offset, piece.numel)
            .copy_(whole.narrow(0, piece.tensor_offset, piece.numel));
      }
    }
  }
  masters_changed();
}

std::vector<DecayRange> ShardedModel::decay_ranges() const {
  std::vector<DecayRange> ranges;
  for (const UnitLayout& unit : layout_.units) {
    for (const TensorSlot& slot : unit.slots) {
      for (const ShardPiece& piece : pieces_of(layout_, unit, slot)) {
        if (piece.shard != comm_.rank()) continue;
        const int64_t end = piece.state_offset + piece.numel;
        const bool extends = !ranges.empty() && ranges.back().end == piece.state_offset &&
                             ranges.back().decays == slot.decays;
        if (extends) {
          ranges.back().end = end;
        } else {
          ranges.push_back({piece.state_offset, end, slot.decays});
        }
      }
    }
  }
  return ranges;
}

void ShardedModel::masters_changed() {
  for (size_t unit = 0; unit < gathered_.size(); ++unit) reshard(unit);
}

void ShardedModel::unshard(size_t unit) {
  if (gathered_[unit].defined()) return;
  const at::Tensor shard = shard_of(master_, unit);
  if (alone() && options_.compute_dtype == at::kFloat) {
    gathered_[unit] = shard;
    return;
  }
  const int64_t numel = layout_.units[unit].shard_numel * comm_.size();
  const auto fits = std::find_if(spare_.begin(), spare_.end(),
                                 [&](const at::Tensor& t) { return t.numel() == numel; });
  if (fits != spare_.end()) {
    gathered_[unit] = std::move(*fits);
    spare_.erase(fits);
  } else {
    gathered_[unit] = at::empty({numel}, master_.options().dtype(options_.compute_dtype));
  }
  at::Tensor& full = gathered_[unit];
  at::Tensor own = full.narrow(0, comm_.rank() * shard.numel(), shard.numel());
  own.copy_(shard);
  if (!alone()) comm_.all_gather(full, own)->wait();
}

void ShardedModel::reshard(size_t unit) {
  if (!gathered_[unit].defined()) return;
  const bool aliases_master = alone() && options_.compute_dtype == at::kFloat;
  if (!aliases_master) spare_.push_back(gathered_[unit]);
  gathered_[unit] = at::Tensor();
}

void ShardedModel::begin_step() {
  gradient_.zero_();
  for (at::Tensor& accumulator : accumulators_) {
    if (accumulator.defined()) accumulator.zero_();
  }
}

at::Tensor ShardedModel::embed(const PackedBatch& batch) const {
  return at::embedding(decoder_.parameters(0, gathered_[0]).front(), batch.input_ids);
}

ShardedModel::BlockRun ShardedModel::run_block(size_t unit, const at::Tensor& x,
                                               const BlockContext& context) const {
  const c10::AutoGradMode with_graph(true);
  BlockRun run{.input = leaf(x),
               .output = {},
               .parameters = leaves(decoder_.parameters(unit, gathered_[unit]))};
  run.output = decoder_.block(run.parameters, run.input, context);
  return run;
}

at::Tensor ShardedModel::backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                                        const BlockContext& context) {
  if (!run.output.defined()) run = run_block(unit, run.input, context);
  std::vector<at::Tensor> inputs = {run.input};
  inputs.insert(inputs.end(), run.parameters.begin(), run.parameters.end());
  const std::vector<at::Tensor> grads = torch::autograd::grad({run.output}, inputs, {output_grad});
  run = BlockRun{};  // frees the activations
  store_gradients(unit, grads, 1);
  return grads.front();
}

const at::Tensor& ShardedModel::output_matrix() const {
  return gathered_[decoder_.tied() ? 0 : decoder_.head_unit()];
}

double ShardedModel::backward_head(const PackedBatch& batch, const at::Tensor& x,
                                   at::Tensor& x_grad) {
  const size_t head = decoder_.head_unit();
  const size_t owner = decoder_.tied() ? 0 : head;
  const at::Tensor matrix = decoder_.parameters(owner, output_matrix()).back();
  at::Tensor rows, norm, hidden;
  {
    const c10::AutoGradMode with_graph(true);
    rows = leaf(x.index_select(0, batch.label_rows));
    norm = leaf(decoder_.parameters(head, gathered_[head]).front());
    hidden = decoder_.final_norm(rows, norm);
  }
  at::Tensor matrix_grad = decoder_.parameters(owner, accumulator(owner)).back();
  const TokenLoss loss = linear_cross_entropy(hidden.detach(), matrix, batch.label_targets,
                                              batch.label_weights, matrix_grad);
  const std::vector<at::Tensor> grads =
      torch::autograd::grad({hidden}, {rows, norm}, {loss.hidden_grad});
  decoder_.parameters(head, accumulator(head)).front().add_(grads[1]);
  x_grad = at::zeros_like(x).index_add_(0, batch.label_rows, grads[0]);
  return loss.loss;
}

double ShardedModel::forward_backward(const PackedBatch* batch) {
  const c10::AutoGradMode without_graph(false);
  const bool frees = options_.shard == ShardMode::kFull && !alone();
  const bool keeps_graph = options_.recompute == Recompute::kNone;
  const size_t head = decoder_.head_unit();
  std::vector<BlockRun> runs(head);
  BlockContext context;
  at::Tensor x, x_grad;

  unshard(0);
  if (batch != nullptr) {
    context = decoder_.context(*batch, options_.compute_dtype);
    x = embed(*batch);
  }
  if (frees && !decoder_.tied()) reshard(0);
  for (size_t unit = 1; unit < head; ++unit) {
    unshard(unit);
    if (batch != nullptr) {
      if (keeps_graph) {
        runs[unit] = run_block(unit, x, context);
        x = runs[unit].output.detach();
      } else {
        runs[unit].input = x;
        x = decoder_.block(decoder_.parameters(unit, gathered_[unit]), x, context);
      }
    }
    if (frees) reshard(unit);
  }

  unshard(head);
  const double loss = batch != nullptr ? backward_head(*batch, x, x_grad) : 0.0;
  if (frees) {
    reshard(head);
    reshard(0);
  }
  for (size_t unit = head - 1; unit >= 1; --unit) {
    unshard(unit);
    if (batch != nullptr) x_grad = backward_block(unit, runs[unit], x_grad, context);
    if (frees) reshard(unit);
    reduce_gradients(unit);
  }
  if (batch != nullptr) {
    at::Tensor matrix_grad = decoder_.parameters(0, accumulator(0)).front();
    matrix_grad.index_add_(0, batch->input_ids, x_grad.to(at::kFloat));
  }
  return loss;
}

/// Where a unit's gradient is summed over a step: on one rank the shard itself is the whole unit.
at::Tensor ShardedModel::accumulator(size_t unit) {
  if (alone()) return shard_of(gradient_, unit);
  if (!accumulators_[unit].defined()) {
    accumulators_[unit] =
        at::zeros({layout_.units[unit].shard_numel * comm_.size()}, gradient_.options());
  }
  return accumulators_[unit];
}

void ShardedModel::store_gradients(size_t unit, const std::vector<at::Tensor>& grads,
                                   size_t first) {
  at::Tensor flat;
  if (alone()) {
    flat = shard_of(gradient_, unit);
  } else {
    const int64_t numel = layout_.units[unit].shard_numel * comm_.size();
    if (!block_gradient_.defined()) block_gradient_ = at::zeros({numel}, gradient_.options());
    flat = block_gradient_;
  }
  int64_t offset = 0;
  for (size_t i = first; i < grads.size(); ++i) {
    at::Tensor slot = flat.narrow(0, offset, grads[i].numel());
    const at::Tensor grad = grads[i].reshape({-1});
    if (alone()) {
      slot.add_(grad);
    } else {
      slot.copy_(grad);
    }
    offset += grads[i].numel();
  }
}

void ShardedModel::reduce_gradients(size_t unit) {
  if (alone()) return;
  if (!block_gradient_.defined()) {
    const int64_t numel = layout_.units[unit].shard_numel * comm_.size();
    block_gradient_ = at::zeros({numel}, gradient_.options());
  }
  reduce_into_shard(unit, block_gradient_);
  block_gradient_.zero_();
}

void ShardedModel::reduce_into_shard(size_t unit, const at::Tensor& full) {
  at::Tensor shard = at::empty({layout_.units[unit].shard_numel}, full.options());
  comm_.reduce_scatter(shard, full, ReduceOp::kSum)->wait();
  shard_of(gradient_, unit).add_(shard);
}

double ShardedModel::finish_gradients() {
  if (!alone()) {
    for (const size_t unit : {size_t{0}, decoder_.head_unit()}) {
      reduce_into_shard(unit, accumulator(unit));
    }
  }
  at::Tensor sum = at::full({1}, sum_of_squares(gradient_), at::TensorOptions().dtype(at::kDouble));
  sum = sum.to(options_.device);
  if (!alone()) comm_.all_reduce(sum, ReduceOp::kSum)->wait();
  return std::sqrt(sum.item<double>());
}

void ShardedModel::make_resident() {
  const c10::AutoGradMode without_graph(false);
  for (size_t unit = 0; unit < gathered_.size(); ++unit) unshard(unit);
}

at::Tensor ShardedModel::predict(const PackedBatch& batch) {
  const c10::AutoGradMode without_graph(false);
  for (const at::Tensor& unit : gathered_) {
    XKDE_CHECK(unit.defined(), InternalError, "predict() before make_resident()");
  }
  const BlockContext context = decoder_.context(batch, options_.compute_dtype);
  at::Tensor x = embed(batch);
  for (size_t unit = 1; unit < decoder_.head_unit(); ++unit) {
    x = decoder_.block(decoder_.parameters(unit, gathered_[unit]), x, context);
  }
  const size_t head = decoder_.head_unit();
  const at::Tensor norm = decoder_.parameters(head, gathered_[head]).front();
  const at::Tensor hidden = decoder_.final_norm(x.index_select(0, batch.label_rows), norm);
  const size_t owner = decoder_.tied() ? 0 : head;
  return linear_argmax(hidden, decoder_.parameters(owner, output_matrix()).back());
}

std::map<std::string, at::Tensor> ShardedModel::gather_masters() {
  std::map<std::string, at::Tensor> tensors;
  for (size_t unit = 0; unit < layout_.units.size(); ++unit) {
    const UnitLayout& layout = layout_.units[unit];
    at::Tensor full = shard_of(master_, unit);
    if (!alone()) {
      const at::Tensor shard = full.contiguous();
      full = at::empty({layout.shard_numel * comm_.size()}, master_.options());
      comm_.all_gather(full, shard)->wait();
    }
    if (comm_.rank() != 0) continue;
    full = full.cpu();
    for (const TensorSlot& slot : layout.slots) {
      tensors[slot.name] = full.narrow(0, slot.offset, slot.numel).clone().view(slot.shape);
    }
  }
  return tensors;
}

}  // namespace xkde::dist
