#include "stages/weights/run_weights.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/editing/edited_weights.h"
#include "core/model/families/lora_blocks.h"
#include "core/model/lora_linear.h"
#include "core/model/pretrained/gguf_weights.h"
#include "core/model/pretrained/held_blocks.h"
#include "distributed/checkpoint/checkpoint.h"
#include "distributed/checkpoint/tensors.h"
#include "distributed/comm/agreement.h"
#include "distributed/comm/typed_gather.h"
#include "distributed/sharding/model_layout.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// The matrices that adapt one weight.
struct Pair {
  at::Tensor a, b;
};

/// By the name of the weight.
std::map<std::string, Pair> pairs_of(const std::vector<LoraBlock>& blocks,
                                     const std::map<std::string, at::Tensor>& matrices) {
  std::map<std::string, Pair> pairs;
  for (const LoraBlock& block : blocks) {
    for (const LoraTensor& tensor : block.tensors) {
      Pair& pair = pairs[tensor.base];
      (tensor.is_first ? pair.a : pair.b) = matrices.at(tensor.name);
    }
  }
  return pairs;
}

/// `base` with an adapter, whose product is made of whole tensors.
dist::ReadTensor with_pairs(dist::ReadTensor base, std::map<std::string, Pair> pairs,
                            double scale) {
  return [base = std::move(base), pairs = std::move(pairs), scale](
             const std::string& name, int64_t first, std::span<float> out) {
    const auto found = pairs.find(name);
    if (found == pairs.end()) return base(name, first, out);
    const Pair& pair = found->second;
    const int64_t rows = pair.b.size(0);
    const at::Tensor weight = at::empty({rows, pair.a.size(1)}, at::kFloat);
    base(name, 0, {weight.mutable_data_ptr<float>(), static_cast<size_t>(weight.numel())});
    const at::Tensor sum = lora_merged(
        weight,
        {.a = pair.a, .b = {pair.b}, .rows = {{.begin = 0, .count = rows}}, .scale = scale});
    std::copy_n(sum.const_data_ptr<float>() + first, out.size(), out.data());
  };
}

/// `below` with matrices that edits changed.
dist::ReadTensor with_edits(dist::ReadTensor below, const fs::path& file) {
  auto edited =
      std::make_shared<std::map<std::string, at::Tensor>>(std::move(read_edited(file).weights));
  return [below = std::move(below), edited](const std::string& name, int64_t first,
                                            std::span<float> out) {
    const auto found = edited->find(name);
    if (found == edited->end()) return below(name, first, out);
    std::copy_n(found->second.const_data_ptr<float>() + first, out.size(), out.data());
  };
}

std::string in_words(const ModelConfig& config, const LoraOptions& lora) {
  return fmt::format("r {}, alpha {}, rslora {}, target_modules {}", lora.r, lora.alpha,
                     lora.rslora, fmt::join(lora_modules(config, lora), ", "));
}

}  // namespace

RunWeights::RunWeights(const Recipe& recipe, dist::Communicator& comm,
                       const PretrainedModel& pretrained, const Decoder& decoder)
    : recipe_(recipe),
      comm_(comm),
      pretrained_(pretrained),
      decoder_(decoder),
      form_(recipe.frozen_form()) {
  check_held_blocks(pretrained, form_, "lora.base");
  if (recipe.model.adapter.empty()) return;
  peft_ = PeftAdapter::open(recipe.model.adapter, pretrained.config);
  adapter_ = from_file();
}

bool RunWeights::freezes() const {
  if (adapter_) return true;
  bool any = false;
  for (const StagePtr& stage : recipe_.stages) {
    if (!stage->changes_model()) continue;
    if (stage->adapter() == nullptr) return false;
    any = true;
  }
  return any;
}

void RunWeights::release() {
  full_.reset();
  adapted_.reset();
}

void RunWeights::build(const dist::EngineOptions& options) {
  release();
  if (freezes()) {
    adapted_ = std::make_unique<dist::AdapterModel>(
        decoder_, comm_, options, adapter_ ? std::optional(adapter_->options) : std::nullopt,
        format_of());
  } else {
    full_ = std::make_unique<dist::ShardedModel>(decoder_, comm_, options);
  }
  load();
}

dist::RunModel& RunWeights::model(const dist::EngineOptions& options) {
  if (!is_built()) build(options);
  if (full_) return *full_;
  return *adapted_;
}

void RunWeights::load() {
  if (full_ && find_base_ && changes_.empty()) {
    load_checkpoint_of(find_base_, full_->layout(), full_->master());
    full_->masters_changed();
    return;
  }
  fill_base(base_reader());
  if (adapted_ && adapter_) adapter_->fill(*adapted_);
}

void RunWeights::fill_base(const dist::ReadTensor& read) {
  dist::agree_on(comm_, [&] {
    if (full_) {
      full_->load(read);
    } else {
      adapted_->load_base({.values = read, .blocks = [this](const auto& name, auto out) {
                             check_stop();
                             read_held_blocks(*pretrained_.weights, pretrained_.path.string(), name,
                                              form_, out);
                           }});
    }
  });
}

void RunWeights::load_checkpoint_of(const FindCheckpoint& find, const dist::ShardLayout& layout,
                                    at::Tensor& state) {
  const fs::path checkpoint =
      dist::broadcast(comm_, comm_.rank() == 0 ? find().string() : std::string());
  at::Tensor host = at::empty_like(state, at::kCPU);
  const std::span<float> values(host.mutable_data_ptr<float>(), static_cast<size_t>(host.numel()));
  dist::load_checkpoint(checkpoint, layout, {{dist::kMasterState, values}}, comm_);
  state.copy_(host);
}

dist::ReadTensor RunWeights::pretrained_reader() const {
  return [this](const std::string& name, int64_t first, std::span<float> out) {
    check_stop();
    read_finite_f32(*pretrained_.weights, pretrained_.path.string(), name, first, out);
  };
}

dist::BlockFormatOf RunWeights::format_of() const {
  if (form_ == FrozenForm::kDtype) return nullptr;
  return [this](const std::string& name) { return held_blocks(*pretrained_.weights, name, form_); };
}

dist::ReadTensor RunWeights::held_reader() const {
  return [this](const std::string& name, int64_t first, std::span<float> out) {
    check_stop();
    XKDE_CHECK(first == 0, InternalError, name, ": weights held in blocks are read whole");
    read_held_f32(*pretrained_.weights, pretrained_.path.string(), name, form_, out);
  };
}

dist::ReadTensor RunWeights::gguf_reader() {
  std::shared_ptr<const WeightFile> weights;
  dist::agree_on(comm_, [&] {
    weights =
        open_gguf_weights(std::make_shared<GgufFile>(GgufFile::open(gguf_)), pretrained_.config);
  });
  return [weights, path = gguf_.string()](const std::string& name, int64_t first,
                                          std::span<float> out) {
    check_stop();
    read_finite_f32(*weights, path, name, first, out);
  };
}

dist::ReadTensor RunWeights::base_reader() {
  dist::ReadTensor reader = unchanged_reader();
  for (const Change& change : changes_) {
    if (change.adapter) {
      reader = merged(std::move(reader), *change.adapter);
    } else {
      dist::agree_on(comm_, [&] { reader = with_edits(std::move(reader), change.edits); });
    }
  }
  return reader;
}

dist::ReadTensor RunWeights::merged(dist::ReadTensor below, const Adapter& adapter) const {
  XKDE_CHECK(adapter.open, InternalError, "run: an adapter in training is merged");
  const std::vector<LoraBlock> blocks = lora_blocks(pretrained_.config, adapter.options);
  const dist::ReadTensor read = adapter.open();
  std::map<std::string, at::Tensor> matrices;
  dist::agree_on(comm_, [&] {
    for (const LoraBlock& block : blocks) {
      for (const LoraTensor& tensor : block.tensors) {
        at::Tensor values = at::empty(tensor.shape, at::TensorOptions().dtype(at::kFloat));
        read(tensor.name, 0,
             {values.mutable_data_ptr<float>(), static_cast<size_t>(values.numel())});
        matrices[tensor.name] = std::move(values);
      }
    }
  });
  return with_pairs(std::move(below), pairs_of(blocks, matrices), adapter.options.scale());
}

dist::ReadTensor RunWeights::unchanged_reader() {
  if (!gguf_.empty()) return gguf_reader();
  if (!find_base_) return pretrained_reader();
  return checkpoint_reader(find_base_, dist::layout_of(decoder_, 1));
}

dist::ReadTensor RunWeights::checkpoint_reader(const FindCheckpoint& find,
                                               const dist::ShardLayout& layout) {
  const fs::path folder =
      dist::broadcast(comm_, comm_.rank() == 0 ? find().string() : std::string());
  std::shared_ptr<dist::CheckpointTensors> tensors;
  dist::agree_on(comm_,
                 [&] { tensors = std::make_shared<dist::CheckpointTensors>(folder, layout); });
  return [tensors](const std::string& name, int64_t first, std::span<float> out) {
    check_stop();
    tensors->read(name, first, out);
  };
}

dist::ReadTensor RunWeights::first_reader() const {
  return peft_ ? merged(pretrained_reader(), from_file()) : pretrained_reader();
}

RunWeights::Adapter RunWeights::from_file() const {
  const dist::ReadTensor read = [this](const std::string& name, int64_t first,
                                       std::span<float> out) { peft_->read(name, first, out); };
  return {
      .options = peft_->options(),
      .fill = [this, read](
                  dist::AdapterModel& model) { dist::agree_on(comm_, [&] { model.load(read); }); },
      .open = [read] { return read; }};
}

RunWeights::Adapter RunWeights::from_checkpoint(FindCheckpoint find, const LoraOptions& options) {
  Adapter adapter{.options = options, .fill = nullptr, .open = nullptr};
  adapter.open = [this, find, options]() -> dist::ReadTensor {
    return checkpoint_reader(find, dist::layout_of(lora_blocks(pretrained_.config, options), 1));
  };
  adapter.fill = [this, find = std::move(find)](dist::AdapterModel& model) {
    load_checkpoint_of(find, model.layout(), model.master());
    model.masters_changed();
  };
  return adapter;
}

void RunWeights::use_checkpoint(FindCheckpoint find, const std::optional<LoraOptions>& lora,
                                bool has) {
  if (lora) {
    adapter_ = from_checkpoint(std::move(find), *lora);
  } else {
    adapter_.reset();
    find_base_ = std::move(find);
    gguf_.clear();
    changes_.clear();
  }
  if (has || !is_built()) return;
  const bool fits = full_ ? !lora : lora && adapted_->lora();
  if (!fits) {
    release();
  } else if (full_) {
    load();
  } else {
    adapter_->fill(*adapted_);
  }
}

void RunWeights::use_gguf(fs::path file) {
  gguf_ = std::move(file);
  find_base_ = nullptr;
  changes_.clear();
  if (std::exchange(adapter_, std::nullopt)) release();
  reload();
}

void RunWeights::use_edits(fs::path file) {
  merge_adapter();
  changes_.push_back({.edits = std::move(file), .adapter = std::nullopt});
  reload();
}

void RunWeights::drop_edits() {
  while (!changes_.empty() && !changes_.back().adapter) changes_.pop_back();
  if (!changes_.empty()) {
    adapter_ = std::move(changes_.back().adapter);
    changes_.pop_back();
    release();
  }
  reload();
}

void RunWeights::merge_adapter() {
  if (!adapter_) return;
  changes_.push_back({.edits = {}, .adapter = std::exchange(adapter_, std::nullopt)});
  release();
}

void RunWeights::reload() {
  if (is_built()) load();
}

dist::RunModel& RunWeights::model_to_train(const std::optional<LoraOptions>& lora,
                                           const std::string& place,
                                           const dist::EngineOptions& options) {
  if (!lora) {
    merge_adapter();
    return model(options);
  }
  if (adapter_) {
    const std::string expected = in_words(pretrained_.config, adapter_->options);
    const std::string found = in_words(pretrained_.config, *lora);
    XKDE_CHECK(expected == found, ConfigError, place, ": expected ", expected,
               ", as the adapter that the model has, found ", found);
    adapter_->options = *lora;
  } else {
    adapter_ = Adapter{.options = *lora,
                       .fill = [seed = static_cast<uint64_t>(recipe_.seed)](
                                   dist::AdapterModel& model) { model.begin_adapter(seed); },
                       .open = nullptr};
    release();
  }
  model(options);
  adapted_->set_dropout(lora->dropout);
  return *adapted_;
}

void RunWeights::with_first_weights(const dist::EngineOptions& options,
                                    const std::function<void()>& body) {
  dist::RunModel& held = model(options);
  const at::Tensor kept = held.master().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
  // Blocks are never written anew: the adapter that the run began with stands beside them.
  const bool has_blocks = form_ != FrozenForm::kDtype;
  const bool other_base = full_ || !is_base_pretrained() || (peft_ && !has_blocks);
  if (adapted_) held.master().zero_();
  if (peft_ && has_blocks) {
    from_file().fill(*adapted_);
  } else {
    held.masters_changed();
  }
  if (other_base) fill_base(first_reader());
  body();
  if (adapted_ && other_base) fill_base(base_reader());
  held.master().copy_(kept);
  held.masters_changed();
}

std::map<std::string, at::Tensor> RunWeights::gather_adapter(const dist::EngineOptions& options) {
  model(options);
  XKDE_CHECK(adapted_ && adapter_, InternalError, "run: the model has no adapter");
  return adapted_->gather_adapter();
}

dist::ReadTensor RunWeights::weights_for_export(const dist::EngineOptions& options,
                                                bool dequantized) {
  model(options);
  if (full_) {
    return [masters = full_->gather_masters()](const std::string& name, int64_t first,
                                               std::span<float> out) {
      std::copy_n(masters.at(name).const_data_ptr<float>() + first, out.size(), out.data());
    };
  }
  dist::ReadTensor base = dequantized && is_base_pretrained() ? held_reader() : base_reader();
  if (!adapter_) return base;
  const std::map<std::string, at::Tensor> matrices = adapted_->gather_adapter();
  if (comm_.rank() != 0) return base;
  return with_pairs(std::move(base), pairs_of(adapted_->blocks(), matrices),
                    adapter_->options.scale());
}

}  // namespace xkde::recipe
