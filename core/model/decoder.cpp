#include "core/model/decoder.h"

#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>

#include "core/nn/device_copy.h"
#include "core/nn/layers.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

std::vector<float> rope_frequencies(const RopeConfig& rope, int64_t head_dim) {
  std::vector<float> frequencies = inverse_frequencies(rope.width(head_dim), rope.theta);
  switch (rope.scaling) {
    case RopeConfig::Scaling::kNone:
    case RopeConfig::Scaling::kDynamic:  // it begins to scale beyond the context
      break;
    case RopeConfig::Scaling::kLinear:
      for (float& f : frequencies) f /= static_cast<float>(rope.factor);
      break;
    case RopeConfig::Scaling::kYarn:
      scale_yarn(frequencies,
                 {.theta = rope.theta,
                  .factor = rope.factor,
                  .beta_fast = rope.beta_fast,
                  .beta_slow = rope.beta_slow,
                  .original_max_position_embeddings = rope.original_max_position_embeddings,
                  .truncates = rope.truncate});
      break;
    case RopeConfig::Scaling::kLongRope:
      for (size_t i = 0; i < frequencies.size(); ++i) {
        frequencies[i] /= static_cast<float>(rope.short_factor[i]);
      }
      break;
    case RopeConfig::Scaling::kLlama3:
      scale_llama3(frequencies,
                   {.factor = rope.factor,
                    .low_freq_factor = rope.low_freq_factor,
                    .high_freq_factor = rope.high_freq_factor,
                    .original_max_position_embeddings = rope.original_max_position_embeddings});
      break;
  }
  return frequencies;
}

}  // namespace

/// The parameters of a block by their roles; absent ones are undefined.
class Decoder::BlockParameters {
 public:
  /// `tensors` and `products`, which may be null, outlive it.
  BlockParameters(const std::vector<Parameter>& kinds, const std::vector<at::Tensor>& tensors,
                  const BlockProducts* products)
      : products_(products) {
    by_role_.fill(&absent_);
    for (size_t i = 0; i < kinds.size(); ++i) {
      by_role_[static_cast<size_t>(kinds[i].role)] = &tensors[i];
    }
  }
  const at::Tensor& operator[](TensorRole role) const {
    return *by_role_[static_cast<size_t>(role)];
  }
  /// x by the weight of a role and its bias.
  at::Tensor linear(const at::Tensor& x, TensorRole role, TensorRole bias_role) const {
    const at::Tensor& weight = (*this)[role];
    const at::Tensor& bias = (*this)[bias_role];
    return products_ != nullptr ? products_->product(role, x, weight, bias)
                                : plain_product(x, weight, bias);
  }

 private:
  const BlockProducts* products_;
  at::Tensor absent_;
  std::array<const at::Tensor*, kNumTensorRoles> by_role_;
};

Decoder::Decoder(ModelConfig config) : config_(std::move(config)), units_(units_of(config_)) {
  for (const DecoderUnit& unit : units_) parameters_.push_back(joined(unit));
  find_layer_kinds();
}

void Decoder::find_layer_kinds() {
  std::map<bool, size_t> kinds;  // by whether they have a window
  for (int64_t layer = 0; layer < num_blocks(); ++layer) {
    const auto [place, is_new] = kinds.emplace(config_.windows.slides(layer), kinds_.size());
    if (is_new) {
      const RopeConfig& rope = config_.rope_of(layer);
      kinds_.push_back({.frequencies = rope_frequencies(rope, config_.head_dim),
                        .rotation_factor = rope.attention_factor,
                        .window = config_.window(layer)});
    }
    kind_of_layer_.push_back(place->second);
  }
}

std::vector<Decoder::Parameter> Decoder::joined(const DecoderUnit& unit) {
  std::vector<Parameter> all;
  for (const UnitTensor& tensor : unit.tensors) {
    if (!all.empty() && all.back().role == tensor.role) {
      all.back().shape.front() += tensor.shape.front();
    } else {
      all.push_back({tensor.role, tensor.shape});
    }
  }
  return all;
}

std::vector<at::Tensor> Decoder::parameters(size_t unit, const at::Tensor& flat) const {
  std::vector<at::Tensor> views;
  int64_t offset = 0;
  for (const Parameter& parameter : parameters_[unit]) {
    const int64_t numel = c10::multiply_integers(parameter.shape);
    views.push_back(flat.narrow(0, offset, numel).view(parameter.shape));
    offset += numel;
  }
  return views;
}

std::vector<TensorRole> Decoder::parameter_roles(size_t unit) const {
  std::vector<TensorRole> roles;
  for (const Parameter& parameter : parameters_[unit]) roles.push_back(parameter.role);
  return roles;
}

at::Tensor Decoder::embed(const at::Tensor& ids, const std::vector<at::Tensor>& parameters) const {
  const at::Tensor rows = at::embedding(parameters.front(), ids);
  const double scale = embedding_scale(rows.scalar_type());
  return scale == 1.0 ? rows : rows * scale;
}

double Decoder::embedding_scale(at::ScalarType dtype) const {
  if (!config_.family->arithmetic.scales_embedding) return 1.0;
  const at::Tensor scale =
      at::scalar_tensor(std::sqrt(static_cast<double>(config_.hidden_size)), at::kFloat);
  return scale.to(dtype).item<double>();
}

at::Tensor Decoder::forward(const at::Tensor& ids, const BlockContext& context,
                            const UnitPass& pass) const {
  const bool computes = ids.defined();
  at::Tensor x;  // [T, D]
  for (size_t unit = 0; unit < head_unit(); ++unit) {
    const std::vector<at::Tensor> parameters = pass.weights(unit);
    if (computes && unit == 0) {
      x = embed(ids, parameters);
    } else if (computes) {
      const int64_t layer = static_cast<int64_t>(unit) - 1;
      x = pass.block ? pass.block(unit, parameters, x)
                     : block(parameters, x, context.of(layer), pass.changed.of(layer));
    }
    if (pass.done) pass.done(unit);
  }
  return x;
}

at::Tensor Decoder::logits(const at::Tensor& rows, const UnitWeights& weights) const {
  const at::Tensor hidden = final_norm(rows, weights(head_unit()).front());
  return soft_capped(plain_product(hidden, weights(output_unit()).back()), logit_cap());
}

RotaryTable Decoder::rotary(const LayerKind& kind, const at::Tensor& positions,
                            at::ScalarType dtype) const {
  const at::Tensor frequencies = to_device(kind.frequencies, positions.device());
  return rotary_table(positions, frequencies, dtype, kind.rotation_factor);
}

BlockContext Decoder::rotations(const at::Tensor& positions, at::ScalarType dtype) const {
  std::vector<LayerContext> kinds;
  for (const LayerKind& kind : kinds_) kinds.push_back({rotary(kind, positions, dtype), {}});
  return {std::move(kinds), kind_of_layer_};
}

BlockContext Decoder::context(const PackedBatch& batch, at::ScalarType dtype) const {
  BlockContext context = rotations(batch.positions, dtype);
  const int64_t longest = longest_path(nodes_of(batch.segments));
  std::map<int64_t, AttentionPlan> plans;  // by window; one that reaches all is none
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const int64_t window = kinds_[i].window < longest ? kinds_[i].window : 0;
    const auto [plan, is_new] = plans.try_emplace(window);
    if (is_new) {
      plan->second = plan_attention(batch.segments, attention_shape(), dtype,
                                    batch.positions.device(), window);
    }
    context.kinds()[i].attention = plan->second;
  }
  return context;
}

AttentionShape Decoder::attention_shape() const {
  return {.num_heads = config_.num_attention_heads,
          .num_kv_heads = config_.num_key_value_heads,
          .head_dim = config_.head_dim,
          .query_scalar = config_.query_pre_attn_scalar,
          .softcap = config_.attn_logit_softcapping};
}

std::vector<int64_t> Decoder::windows() const {
  std::vector<int64_t> windows;
  for (int64_t layer = 0; layer < num_blocks(); ++layer) windows.push_back(config_.window(layer));
  return windows;
}

at::Tensor Decoder::norm(const at::Tensor& x, const at::Tensor& weight) const {
  return config_.family->arithmetic.norms_add_one
             ? rms_norm_plus_one(x, weight, config_.rms_norm_eps)
             : rms_norm(x, weight, config_.rms_norm_eps);
}

/// x itself where the family has no such norm.
at::Tensor Decoder::norm_or(const at::Tensor& x, const at::Tensor& weight) const {
  return weight.defined() ? norm(x, weight) : x;
}

/// qkv [T, (H + 2K) E], each head of queries and keys by its norm.
at::Tensor Decoder::norm_heads(const at::Tensor& qkv, const BlockParameters& parameters) const {
  const int64_t queries = config_.num_attention_heads;
  const int64_t keys = config_.num_key_value_heads;
  const at::Tensor heads = qkv.view({qkv.size(0), queries + 2 * keys, config_.head_dim});
  std::vector<at::Tensor> parts = heads.split_with_sizes({queries, keys, keys}, 1);
  const auto by = [&](const at::Tensor& part, TensorRole role) {
    return norm(part.reshape({-1, config_.head_dim}), parameters[role]).view(part.sizes());
  };
  parts[0] = by(parts[0], TensorRole::kQueryNorm);
  parts[1] = by(parts[1], TensorRole::kKeyNorm);
  return at::cat(parts, 1).view(qkv.sizes());
}

at::Tensor Decoder::block_qkv(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                              const BlockProducts* products) const {
  const BlockParameters p(parameters_[1], parameters, products);
  const at::Tensor qkv =
      p.linear(norm(x, p[TensorRole::kInputNorm]), TensorRole::kQkv, TensorRole::kQkvBias);
  return p[TensorRole::kQueryNorm].defined() ? norm_heads(qkv, p) : qkv;
}

at::Tensor Decoder::block_rest(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                               const at::Tensor& attended, const BlockProducts* products) const {
  return block_mlp(parameters, block_middle(parameters, x, attended, products), products);
}

at::Tensor Decoder::block_middle(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                                 const at::Tensor& attended, const BlockProducts* products) const {
  const BlockParameters p(parameters_[1], parameters, products);
  const at::Tensor attention = p.linear(attended, TensorRole::kAttentionOutput,
                                        TensorRole::kAttentionOutputBias);  // [T, D]
  return x + norm_or(attention, p[TensorRole::kAttentionOutputNorm]);
}

at::Tensor Decoder::block_mlp(const std::vector<at::Tensor>& parameters, const at::Tensor& middle,
                              const BlockProducts* products) const {
  return block_output(parameters, middle, block_down(parameters, middle, products));
}

at::Tensor Decoder::block_output(const std::vector<at::Tensor>& parameters,
                                 const at::Tensor& middle, const at::Tensor& down) const {
  const BlockParameters p(parameters_[1], parameters, /*products=*/nullptr);
  return middle + norm_or(down, p[TensorRole::kDownNorm]);
}

at::Tensor Decoder::block_down(const std::vector<at::Tensor>& parameters, const at::Tensor& middle,
                               const BlockProducts* products) const {
  const BlockParameters p(parameters_[1], parameters, products);
  const at::Tensor gate_up = p.linear(norm(middle, p[TensorRole::kPostNorm]), TensorRole::kGateUp,
                                      TensorRole::kGateUpBias);  // [T, 2F]
  const bool is_silu = config_.family->arithmetic.activation == Activation::kSilu;
  return p.linear(is_silu ? swiglu(gate_up) : geglu(gate_up), TensorRole::kDown,
                  TensorRole::kDownBias);
}

at::Tensor Decoder::block(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                          const LayerContext& layer, const BlockProducts* products) const {
  const at::Tensor attended = packed_attention(block_qkv(parameters, x, products),
                                               attention_shape(), layer.rotary, layer.attention);
  return block_rest(parameters, x, attended, products);
}

at::Tensor Decoder::block_of_rows(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                                  const at::Tensor& rows, const LayerContext& layer) const {
  const at::Tensor attended =
      packed_attention(block_qkv(parameters, x), attention_shape(), layer.rotary, layer.attention);
  return block_rest(parameters, x.index_select(0, rows), attended.index_select(0, rows));
}

at::Tensor Decoder::final_norm(const at::Tensor& rows, const at::Tensor& weight) const {
  return norm(rows, weight);
}

int64_t Decoder::block_parameters() const {
  int64_t total = 0;
  for (size_t unit = 1; unit < head_unit(); ++unit) {
    for (const UnitTensor& tensor : units_[unit].tensors) {
      if (tensor.shape.size() == 2) total += tensor.numel();
    }
  }
  return total;
}

}  // namespace xkde
