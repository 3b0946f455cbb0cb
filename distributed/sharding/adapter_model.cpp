#include "distributed/sharding/adapter_model.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/loss/token_loss.h"
#include "distributed/sharding/model_layout.h"

namespace xkde::dist {
namespace {

at::Tensor zeros(int64_t numel, at::ScalarType dtype, at::Device device, bool pinned = false) {
  return at::zeros({numel}, at::TensorOptions().dtype(dtype).device(device).pinned_memory(pinned));
}

/// As GatheredWeights fills and empties a storage, autograd must not take it for a change.
std::vector<at::Tensor> frozen(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& tensor : tensors) result.push_back(tensor.variable_data());
  return result;
}

std::vector<at::Tensor> leaves(const std::vector<at::Tensor>& tensors) {
  std::vector<at::Tensor> result = frozen(tensors);
  for (at::Tensor& tensor : result) tensor.requires_grad_(true);
  return result;
}

std::vector<LoraBlock> blocks_of(const Decoder& decoder, const std::optional<LoraOptions>& lora) {
  return lora ? lora_blocks(decoder.config(), *lora) : std::vector<LoraBlock>();
}

}  // namespace

AdapterModel::AdapterModel(const Decoder& decoder, Communicator& comm, EngineOptions options,
                           std::optional<LoraOptions> lora)
    : RunModel(decoder, options.compute_dtype),
      decoder_(decoder),
      options_(options),
      lora_(std::move(lora)),
      mesh_(comm, options.num_copies(comm.size())),
      blocks_(blocks_of(decoder, lora_)),
      base_layout_(layout_of(decoder, mesh_.num_shards())),
      layout_(layout_of(blocks_, mesh_.num_shards())),
      frees_(!options.policy().weights_stay && mesh_.num_shards() > 1),
      base_(zeros(base_layout_.state_numel, options.compute_dtype, options.device)),
      master_(zeros(layout_.state_numel, at::kFloat,
                    options.offload_optimizer ? at::Device(at::kCPU) : options.device,
                    options.offload_optimizer && options.device.is_cuda())),
      weights_(base_layout_, base_, mesh_.shards(),
               {.dtype = options.compute_dtype, .device = options.device, .stays = !frees_}),
      adapters_(layout_, master_, mesh_.shards(),
                {.dtype = options.compute_dtype, .device = options.device, .stays = !frees_}),
      sums_(layout_, mesh_,
            {.reduce_dtype = options.grad_reduce_dtype,
             .device = options.device,
             .reduce_when = options.policy().reduce_when}) {}

void AdapterModel::load_base(const ReadTensor& read) {
  fill_shard(base_layout_, mesh_.shard(), read, base_);
  base_changed();
}

void AdapterModel::base_changed() {
  weights_.invalidate();
  merged_.clear();
}

void AdapterModel::load(const ReadTensor& read) {
  fill_shard(layout_, mesh_.shard(), read, master_);
  masters_changed();
}

void AdapterModel::begin_adapter(uint64_t seed) {
  std::map<std::string, const LoraTensor*> by_name;
  for (const LoraBlock& block : blocks_) {
    for (const LoraTensor& tensor : block.tensors) by_name[tensor.name] = &tensor;
  }
  load([&](const std::string& name, std::span<float> out) {
    fill_new_adapter(*by_name.at(name), seed, out);
  });
}

std::map<std::string, at::Tensor> AdapterModel::gather_adapter(bool all) {
  return gather_tensors(layout_, mesh_, master_, options_.device, all);
}

std::vector<DecayRange> AdapterModel::decay_ranges() const {
  return decay_ranges_of(layout_, mesh_.shard());
}

void AdapterModel::masters_changed() {
  adapters_.invalidate();
  merged_.clear();
}

void AdapterModel::begin_step() {
  merged_.clear();
  sums_.begin_step();
}

void AdapterModel::start(size_t unit, int direction) {
  weights_.start(unit);
  const auto last = static_cast<int64_t>(decoder_.head_unit());
  for (int64_t ahead = 1; ahead <= options_.prefetch; ++ahead) {
    const int64_t next = static_cast<int64_t>(unit) + direction * ahead;
    if (next >= 1 && next <= last) weights_.start(static_cast<size_t>(next));
  }
}

std::vector<at::Tensor> AdapterModel::parameters(size_t unit, int direction) {
  start(unit, direction);
  return decoder_.parameters(unit, weights_.get(unit));
}

std::vector<at::Tensor> AdapterModel::matrices(size_t unit) {
  if (blocks_.empty()) return {};
  return lora_matrices(blocks_[unit - 1], lora_->r, adapters_.get(unit - 1));
}

void AdapterModel::release(size_t unit) {
  if (!frees_) return;
  weights_.release(unit);
  const bool is_block = unit > 0 && unit < decoder_.head_unit();
  if (is_block && !blocks_.empty()) adapters_.release(unit - 1);
}

OutputLayer AdapterModel::output_layer() {
  const size_t owner = decoder_.output_unit();
  return {decoder_.parameters(owner, weights_.get(owner)).back(), decoder_.logit_cap()};
}

AdapterModel::Pass AdapterModel::begin_forward(const PackedBatch* batch, bool drops) {
  start(0, 1);
  Pass pass{.context = {}, .batch = batch, .drops = drops};
  if (batch != nullptr) pass.context = decoder_.context(*batch, options_.compute_dtype);
  return pass;
}

at::Tensor AdapterModel::block(size_t unit, const std::vector<at::Tensor>& weights,
                               const std::vector<at::Tensor>& matrices, const at::Tensor& x,
                               const Pass& pass) const {
  const int64_t layer = static_cast<int64_t>(unit) - 1;
  if (blocks_.empty()) return decoder_.block(weights, x, pass.context.of(layer));
  BlockAdapters adapters(blocks_[unit - 1], matrices, *lora_);
  if (pass.drops) adapters.drop(pass.batch->dropout_seeds, layer);
  return decoder_.block(weights, x, pass.context.of(layer), &adapters);
}

AdapterModel::BlockRun AdapterModel::run_block(size_t unit, const std::vector<at::Tensor>& weights,
                                               const at::Tensor& x, const Pass& pass) {
  const c10::AutoGradMode with_graph(true);
  BlockRun run{.input = x.variable_data(), .output = {}, .matrices = leaves(matrices(unit))};
  // Nothing below the first block is trained.
  if (unit > 1) run.input.requires_grad_(true);
  run.output = block(unit, frozen(weights), run.matrices, run.input, pass);
  return run;
}

at::Tensor AdapterModel::backward_block(size_t unit, BlockRun& run, const at::Tensor& output_grad,
                                        const Pass& pass, bool last) {
  const std::vector<at::Tensor> weights = parameters(unit, -1);
  matrices(unit);  // what a kept graph holds is there
  std::vector<at::Tensor> grads;
  if (output_grad.defined()) {
    if (!run.output.defined()) run = run_block(unit, weights, run.input, pass);
    std::vector<at::Tensor> inputs = run.matrices;
    if (unit > 1) inputs.push_back(run.input);
    grads = torch::autograd::grad({run.output}, inputs, {output_grad});
    run = BlockRun{};  // frees the activations
  }
  release(unit);
  at::Tensor input_grad;
  if (!grads.empty() && unit > 1) {
    input_grad = std::move(grads.back());
    grads.pop_back();
  }
  sums_.add(unit - 1, grads, last);
  return input_grad;
}

at::Tensor AdapterModel::backward_head(const PackedBatch& batch, const at::Tensor& x,
                                       const LossOfLogProbs& loss, at::Tensor& x_grad) {
  const size_t head = decoder_.head_unit();
  const OutputLayer output = output_layer();
  at::Tensor rows, hidden;  // [L, D]
  {
    const c10::AutoGradMode with_graph(true);
    rows = x.index_select(0, batch.label_rows).variable_data().requires_grad_(true);
    hidden = decoder_.final_norm(
        rows, decoder_.parameters(head, weights_.get(head)).front().variable_data());
  }
  LabelLoss given{.loss = {}, .weights = batch.label_weights};
  if (loss) given = loss(linear_log_probs(hidden.detach(), output, batch.label_targets));
  at::Tensor no_grad;
  const TokenLoss tokens =
      linear_cross_entropy(hidden.detach(), output, batch.label_targets, given.weights, no_grad);
  const std::vector<at::Tensor> grads =
      torch::autograd::grad({hidden}, {rows}, {tokens.hidden_grad});
  x_grad = at::zeros_like(x).index_add_(0, batch.label_rows, grads[0]);  // [T, D]
  return loss ? given.loss : tokens.loss;
}

at::Tensor AdapterModel::forward_backward(const PackedBatch* batch, bool last,
                                          const LossOfLogProbs& loss) {
  XKDE_CHECK(!blocks_.empty(), InternalError, "a model without an adapter has nothing to train");
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  std::vector<BlockRun> runs(head);
  const Pass pass = begin_forward(batch, batch != nullptr && batch->dropout_seeds.defined());
  UnitPass units{.weights = [this](size_t unit) {
    std::vector<at::Tensor> weights = parameters(unit, 1);
    // A rank without a pack takes part in gathering the adapter, too.
    if (unit > 0 && unit < decoder_.head_unit()) matrices(unit);
    return weights;
  }};
  units.block = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    if (options_.recompute == Recompute::kNone) {
      runs[unit] = run_block(unit, weights, x, pass);
      return runs[unit].output.detach();
    }
    runs[unit].input = x;
    return block(unit, weights, matrices(unit), x, pass);
  };
  units.done = [&](size_t unit) {
    const bool stays = unit == 0 ? decoder_.tied() : unit + 1 == head;
    if (!stays) release(unit);
  };
  const at::Tensor x = decoder_.forward(batch != nullptr ? batch->input_ids : at::Tensor(),
                                        pass.context, units);  // [T, D]
  parameters(head, -1);
  const auto fp64 = at::TensorOptions().dtype(at::kDouble).device(options_.device);
  at::Tensor x_grad;  // [T, D], of the output of the unit in turn
  const at::Tensor value =
      batch != nullptr ? backward_head(*batch, x, loss, x_grad) : at::zeros({}, fp64);
  release(head);
  release(0);
  for (size_t unit = head - 1; unit >= 1; --unit) {
    x_grad = backward_block(unit, runs[unit], x_grad, pass, last);
  }
  return value;
}

at::Tensor AdapterModel::log_probs(const PackedBatch* batch) {
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  const Pass pass = begin_forward(batch, /*drops=*/false);
  UnitPass units{.weights = [this](size_t unit) {
    std::vector<at::Tensor> weights = parameters(unit, 1);
    if (unit > 0 && unit < decoder_.head_unit()) matrices(unit);
    return weights;
  }};
  units.block = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    return block(unit, weights, matrices(unit), x, pass);
  };
  units.done = [this](size_t unit) {
    if (unit > 0 || !decoder_.tied()) release(unit);
  };
  const at::Tensor x = decoder_.forward(batch != nullptr ? batch->input_ids : at::Tensor(),
                                        pass.context, units);  // [T, D]
  const at::Tensor norm = parameters(head, 1).front();         // [D]
  at::Tensor result;                                           // fp32 [L]
  if (batch != nullptr) {
    const at::Tensor hidden =
        decoder_.final_norm(x.index_select(0, batch->label_rows), norm);  // [L, D]
    result = linear_log_probs(hidden, output_layer(), batch->label_targets);
  }
  release(head);
  release(0);
  return result;
}

/// The fp32 matrices of a block, flat, on every rank.
at::Tensor AdapterModel::gather_master(size_t block) {
  const UnitLayout& unit = layout_.units[block];
  const at::Tensor own = master_.narrow(0, unit.shard_offset, unit.shard_numel).to(options_.device);
  if (mesh_.num_shards() == 1) return own;
  at::Tensor full = at::empty({unit.shard_numel * mesh_.num_shards()}, own.options());
  mesh_.shards().set_phase(unit.name);
  mesh_.shards().all_gather(full, own)->wait();
  return full;
}

/// A block's weights with its adapter, flat, in the compute dtype.
at::Tensor AdapterModel::merged(size_t unit) {
  const LoraBlock& block = blocks_[unit - 1];
  const BlockAdapters adapters(block, lora_matrices(block, lora_->r, gather_master(unit - 1)),
                               *lora_);
  const at::Tensor flat = weights_.get(unit).clone();
  const std::vector<at::Tensor> weights = decoder_.parameters(unit, flat);
  const std::vector<TensorRole> roles = decoder_.parameter_roles(unit);
  for (size_t i = 0; i < weights.size(); ++i) {
    if (const LoraWeights* lora = adapters.of(roles[i]))
      at::Tensor(weights[i]).copy_(lora_merged(weights[i], *lora));
  }
  return flat;
}

void AdapterModel::make_resident() {
  const c10::AutoGradMode without_graph(false);
  if (merged_.empty()) merged_.resize(base_layout_.units.size());
  for (size_t unit = 0; unit < base_layout_.units.size(); ++unit) {
    weights_.get(unit);
    const bool is_block = unit > 0 && unit < decoder_.head_unit();
    if (!is_block || blocks_.empty() || merged_[unit].defined()) continue;
    merged_[unit] = merged(unit);
    release(unit);
  }
}

std::vector<at::Tensor> AdapterModel::resident_parameters(size_t unit) {
  XKDE_CHECK(!merged_.empty(), InternalError, "unit ", unit, " before make_resident()");
  return decoder_.parameters(unit, merged_[unit].defined() ? merged_[unit] : weights_.get(unit));
}

}  // namespace xkde::dist
