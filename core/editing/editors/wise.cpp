#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/base/stop_signals.h"
#include "core/editing/editors/editors.h"
#include "core/editing/lookup/side_memory.h"
#include "core/editing/request_tokens.h"
#include "core/editing/row_pass.h"
#include "core/editing/target_loss.h"
#include "core/nn/device_copy.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// Questions that an edit has nothing to do with, where a recipe names none.
constexpr std::string_view kUnrelated[] = {
    "How many sides does a hexagon have?",
    "What do bees carry from flower to flower?",
    "Which month comes after June?",
    "What is the opposite of heavy?",
    "At what temperature does water freeze?",
    "What is bread usually made from?",
    "Which animal is known for building dams?",
    "How do you say thank you in French?",
};

/// Two losses that are nearer than this are the same for the stop.
constexpr double kSameLoss = 1e-4;

/// A part of a request's sequences, and what stands below the matrix.
struct Pack {
  PackedBatch batch;
  BlockContext context;
  LookupRows rows;
  at::Tensor middle;  ///< [T, D], input of the block's MLP
  at::Tensor keys;    ///< [T, F], input of its down_proj
  at::Tensor own;     ///< [T, D], what the model's own matrix gives
};

/// Gives a tensor in place of what down_proj would give.
class GivenOutput final : public BlockProducts {
 public:
  explicit GivenOutput(at::Tensor output) : output_(std::move(output)) {}
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override {
    return role == TensorRole::kDown ? output_ : plain_product(x, weight, bias);
  }

 private:
  at::Tensor output_;
};

/// The mean of what is above 0; 0 where nothing is.
at::Tensor mean_of_positive(const at::Tensor& values) {
  const at::Tensor positive = values.clamp_min(0.0);
  return positive.sum() / (values > 0.0).sum().clamp_min(1);
}

/// A side memory at one block (arXiv:2405.14768). Requests are written one after another.
class Wise final : public Editor {
 public:
  Wise(const EditableModel& model, EditorParts parts)
      : model_(model),
        parts_(std::move(parts)),
        layer_(parts_.settings.layers().front()),
        matrix_(find_matrix(model.decoder, layer_, parts_.settings.modules.front().module,
                            "editor.layers")),
        memory_(model, layer_, WeightOverlay(model).value(matrix_), parts_.settings.route_ratio) {}

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& /*overlay*/,
                  Team& team) override {
    EditNotes notes;
    for (const EditRequest& request : requests) {
      train(request, team, notes);
      ++edits_;
      if (edits_ % settings().shard_edits == 0) memory_.close();
      if (edits_ % settings().merge_edits == 0)
        memory_.merge(settings().merge_edits / settings().shard_edits, settings().merge_density);
    }
    memory_.refresh();
    return notes;
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> all = memory_.state();
    all["edits"] =
        at::tensor({static_cast<double>(edits_)}, at::TensorOptions().dtype(at::kDouble));
    return all;
  }
  void restore(const std::map<std::string, at::Tensor>& state) override {
    edits_ = static_cast<int64_t>(state.at("edits").item<double>());
    memory_.restore(state);
  }
  const EditLookup* lookup() const override { return &memory_; }

 private:
  const EditorSettings& settings() const { return parts_.settings; }

  /// Which weights of this shard are trained, fp32 [D, F] of 0 and 1.
  const at::Tensor& mask() {
    const int64_t shard = edits_ / settings().shard_edits;
    if (mask_.defined() && mask_shard_ == shard) return mask_;
    RandomStream random(parts_.seed, "wise", static_cast<uint64_t>(shard));
    at::Tensor drawn = at::empty(memory_.base().sizes(), at::TensorOptions().dtype(at::kFloat));
    float* values = drawn.mutable_data_ptr<float>();
    for (int64_t i = 0; i < drawn.numel(); ++i)
      values[i] = random.uniform() < settings().mask_ratio ? 1.0F : 0.0F;
    mask_ = drawn.to(model_.device);
    mask_shard_ = shard;
    return mask_;
  }

  std::string unrelated() const {
    const auto number = static_cast<size_t>(edits_);
    if (!parts_.unrelated.empty()) return parts_.unrelated[number % parts_.unrelated.size()];
    return std::string(kUnrelated[number % std::size(kUnrelated)]);
  }

  /// The request in all contexts; labels' weights add up to 1.
  std::vector<Pack> packs_of(const EditRequest& request) const {
    std::vector<TreeSequence> sequences;
    std::vector<int64_t> prompt_lengths;
    for (const std::string& context : parts_.contexts) {
      RequestTokens tokens = request_tokens(model_, request, context, /*with_subject=*/false);
      prompt_lengths.push_back(tokens.first_prediction + 1);
      sequences.push_back(
          labelled(std::move(tokens), 1.0 / static_cast<double>(parts_.contexts.size())));
    }
    return packs_of(sequences, prompt_lengths);
  }

  /// A prompt alone.
  std::vector<Pack> packs_of(const std::string& prompt) const {
    std::vector<int64_t> ids = model_.tokenizer.encode(prompt, /*add_special_tokens=*/true);
    const auto length = std::ssize(ids);
    return packs_of({TreeSequence{std::move(ids), {{length - 1, 0, 0.0}}}}, {length});
  }

  std::vector<Pack> packs_of(const std::vector<TreeSequence>& sequences,
                             const std::vector<int64_t>& prompt_lengths) const {
    const c10::AutoGradMode without_graph(false);
    const std::vector<at::Tensor> parameters = model_.weights(matrix_.unit);
    std::vector<Pack> packs;
    for (PackedBatch& batch : pack_sequences(sequences, {.share_prefixes = false,
                                                        .max_tokens = parts_.max_tokens,
                                                        .max_sequences = 0,
                                                        .device = model_.device})) {
      LookupRows rows = lookup_rows(batch, prompt_lengths);
      RowPass pass(model_, batch);
      pass.advance_to(layer_);
      Pack pack{std::move(batch), pass.context(), std::move(rows), pass.middle(), {}, {}};
      const DownTap tap;
      model_.decoder.block_mlp(parameters, pack.middle, &tap);
      pack.keys = tap.keys();
      pack.own = tap.outputs();
      packs.push_back(std::move(pack));
    }
    return packs;
  }

  /// By SGD from where the open matrix is.
  void train(const EditRequest& request, Team& team, EditNotes& notes) {
    const std::vector<Pack> packs = packs_of(request);
    const Pack unrelated_pack = std::move(packs_of(unrelated()).front());
    const at::Tensor trained = mask();
    SideMemory::Shard& open = memory_.open();
    double before = INFINITY, distance = 0.0;
    int64_t step = 0;
    notes.losses.push_back(0.0);
    while (step < settings().steps) {
      if (team.size() == 1) check_stop();
      const at::Tensor leaf = open.weight.detach().requires_grad_(true);
      at::Tensor gradient = at::zeros_like(open.weight);
      // The loss, and the request's mean distance.
      at::Tensor sums = at::zeros({2}, at::TensorOptions().dtype(at::kDouble));
      for (size_t i = 0; i < packs.size(); ++i) {
        if (static_cast<int>(i) % team.size() == team.rank())
          sums[0] += add_target_loss(packs[i], leaf, gradient);
      }
      // It costs little, and one member's numbers are the same on all.
      if (team.rank() == 0) add_routing_loss(packs, unrelated_pack, leaf, gradient, sums);
      team.add_up(sums);
      const double loss = sums[0].item<double>();
      distance = sums[1].item<double>();
      XKDE_CHECK(std::isfinite(loss), NumericError, "record ", request.record, " (",
                 request.language, "): expected a finite loss of the edit, found ", loss);
      notes.losses.back() = loss;
      ++step;
      if (loss <= settings().stop_loss && std::abs(loss - before) <= kSameLoss) break;
      before = loss;
      team.add_up(gradient);
      update(gradient.mul_(trained));
    }
    notes.steps.push_back(step);
    open.least = std::min(open.least, distance);
  }

  void update(const at::Tensor& gradient) {
    at::Tensor& weight = memory_.open().weight;
    weight.sub_(gradient + weight * settings().weight_decay, settings().learning_rate);
    const double limit = settings().norm_limit;
    if (limit > 0.0) weight.copy_(weight.clamp(memory_.base() - limit, memory_.base() + limit));
  }

  /// What the open matrix gives for a pack's rows, with a graph; [T, D].
  at::Tensor outputs(const Pack& pack, const at::Tensor& leaf) const {
    const std::vector<at::Tensor> parameters = model_.weights(matrix_.unit);
    const std::vector<TensorRole> roles = model_.decoder.parameter_roles(matrix_.unit);
    at::Tensor bias;
    for (size_t i = 0; i < roles.size(); ++i) {
      if (roles[i] == TensorRole::kDownBias) bias = parameters[i];
    }
    return plain_product(pack.keys, leaf.to(model_.dtype), bias);
  }

  /// The share of the mean over contexts of the mean over target tokens of −log p.
  double add_target_loss(const Pack& pack, const at::Tensor& leaf, at::Tensor& gradient) const {
    at::Tensor x;
    {
      const c10::AutoGradMode with_graph(true);
      const GivenOutput given(outputs(pack, leaf));
      x = model_.decoder.block_mlp(model_.weights(matrix_.unit), pack.middle, &given);
      x = through_blocks(model_, std::move(x), pack.context, layer_ + 1,
                         model_.decoder.num_blocks());
    }
    const TargetLoss loss = target_loss(model_, x, pack.batch, {leaf});
    gradient.add_(loss.gradients.front());
    return loss.losses.sum().item<double>();
  }

  /// The request lies far from the model's own matrix, the unrelated prompt near.
  void add_routing_loss(const std::vector<Pack>& packs, const Pack& unrelated,
                        const at::Tensor& leaf, at::Tensor& gradient, at::Tensor& sums) const {
    const c10::AutoGradMode with_graph(true);
    const auto distances = [&](const Pack& pack) {
      return prompt_distances(model_.decoder, outputs(pack, leaf), pack.own, pack.rows);
    };
    std::vector<at::Tensor> all;
    for (const Pack& pack : packs) all.push_back(distances(pack));
    const at::Tensor in = at::cat(all);  // of the contexts
    const at::Tensor out = distances(unrelated);
    const at::Tensor loss = mean_of_positive(out - in + settings().margin_between) +
                            mean_of_positive(out - settings().margin_out) +
                            mean_of_positive(settings().margin_in - in);
    gradient.add_(torch::autograd::grad({loss}, {leaf}).front());
    sums[0] += loss.item<double>();
    sums[1] += in.mean().item<double>();
  }

  const EditableModel& model_;
  EditorParts parts_;
  int64_t layer_;
  MatrixPlace matrix_;
  SideMemory memory_;
  int64_t edits_ = 0;
  at::Tensor mask_;
  int64_t mask_shard_ = 0;
};

}  // namespace

std::unique_ptr<Editor> make_wise(const EditableModel& model, EditorParts parts) {
  return std::make_unique<Wise>(model, std::move(parts));
}

}  // namespace xkde
