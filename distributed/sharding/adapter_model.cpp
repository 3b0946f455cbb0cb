#include "distributed/sharding/adapter_model.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/trace/trace_spans.h"
#include "distributed/sharding/model_layout.h"

namespace xkde::dist {
namespace {

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
                           std::optional<LoraOptions> lora, const BlockFormatOf& format_of)
    : RunModel(decoder, options.compute_dtype),
      decoder_(decoder),
      options_(options),
      lora_(std::move(lora)),
      mesh_(comm, options.num_copies(comm.size())),
      blocks_(blocks_of(decoder, lora_)),
      base_layout_(layout_of(decoder, mesh_.num_shards())),
      layout_(layout_of(blocks_, mesh_.num_shards(), options.shard_align)),
      base_(base_layout_, mesh_, gather_options(options, mesh_.num_shards()), format_of),
      master_(new_masters(layout_, options)),
      adapters_(layout_, master_, mesh_.shards(), gather_options(options, mesh_.num_shards())),
      schedule_(decoder, options_, base_, blocks_.empty() ? nullptr : &adapters_),
      sums_(layout_, mesh_,
            {.reduce_dtype = options.grad_reduce_dtype,
             .device = options.device,
             .reduce_when = options.policy().reduce_when}) {}

void AdapterModel::load_base(const FrozenReader& read) {
  base_.load(read);
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
  load([&](const std::string& name, int64_t first, std::span<float> out) {
    const LoraTensor& tensor = *by_name.at(name);
    std::vector<float> whole(static_cast<size_t>(tensor.shape[0] * tensor.shape[1]));
    fill_new_adapter(tensor, seed, whole);
    std::copy_n(whole.begin() + first, out.size(), out.begin());
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
  if (!merged_.empty()) {
    for (size_t unit = 0; unit < merged_.size(); ++unit) base_.done(unit);
    merged_.clear();
  }
  sums_.begin_step();
}

std::vector<at::Tensor> AdapterModel::matrices(size_t unit) {
  if (blocks_.empty()) return {};
  return lora_matrices(blocks_[unit - 1], lora_->r, adapters_.get(unit - 1));
}

AdapterModel::Pass AdapterModel::begin_forward(const PackedBatch* batch, bool drops) {
  return {.context = schedule_.begin(batch), .batch = batch, .drops = drops};
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
  const TraceSpan span(TraceLane::kCompute, "backward", base_layout_.units[unit].name);
  const std::vector<at::Tensor> weights = schedule_.parameters(unit, -1);
  std::vector<at::Tensor> grads;
  if (output_grad.defined()) {
    if (!run.output.defined()) run = run_block(unit, weights, run.input, pass);
    std::vector<at::Tensor> inputs = run.matrices;
    if (unit > 1) inputs.push_back(run.input);
    grads = torch::autograd::grad({run.output}, inputs, {output_grad});
    run = BlockRun{};  // frees the activations
  }
  schedule_.release(unit);
  at::Tensor input_grad;
  if (!grads.empty() && unit > 1) {
    input_grad = std::move(grads.back());
    grads.pop_back();
  }
  sums_.add(unit - 1, grads, last);
  return input_grad;
}

at::Tensor AdapterModel::forward_backward(const PackedBatch* batch, bool last,
                                          const LossOfLogProbs& loss) {
  XKDE_CHECK(!blocks_.empty(), InternalError, "a model without an adapter has nothing to train");
  const c10::AutoGradMode without_graph(false);
  const size_t head = decoder_.head_unit();
  std::vector<BlockRun> runs(head);
  const Pass pass = begin_forward(batch, batch != nullptr && batch->dropout_seeds.defined());
  const auto run = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    const TraceSpan span(TraceLane::kCompute, "forward", base_layout_.units[unit].name);
    if (options_.recompute == Recompute::kNone) {
      runs[unit] = run_block(unit, weights, x, pass);
      return runs[unit].output.detach();
    }
    runs[unit].input = x;
    return block(unit, weights, matrices(unit), x, pass);
  };
  at::Tensor x_grad;  // [T, D], of the output of the unit in turn
  const at::Tensor value =
      schedule_.forward_to_loss(batch, pass.context, run, loss, HeadSums{}, x_grad);
  for (size_t unit = head - 1; unit >= 1; --unit) {
    x_grad = backward_block(unit, runs[unit], x_grad, pass, last);
  }
  return value;
}

at::Tensor AdapterModel::log_probs(const PackedBatch* batch) {
  const c10::AutoGradMode without_graph(false);
  const Pass pass = begin_forward(batch, /*drops=*/false);
  const auto run = [&](size_t unit, const std::vector<at::Tensor>& weights, const at::Tensor& x) {
    return block(unit, weights, matrices(unit), x, pass);
  };
  return schedule_.log_probs(batch, pass.context, run);
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
  const at::Tensor flat = base_.get(unit).clone();
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
    if (merged_[unit].defined()) continue;
    base_.get(unit);
    const bool is_block = unit > 0 && unit < decoder_.head_unit();
    if (!is_block || blocks_.empty()) continue;
    merged_[unit] = merged(unit);
    schedule_.release(unit);
  }
}

std::vector<at::Tensor> AdapterModel::resident_parameters(size_t unit) {
  XKDE_CHECK(!merged_.empty(), InternalError, "unit ", unit, " before make_resident()");
  return decoder_.parameters(unit, merged_[unit].defined() ? merged_[unit] : base_.get(unit));
}

}  // namespace xkde::dist
