#include "core/model/decoder.h"

#include <array>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <c10/util/accumulate.h>

#include "core/nn/device_copy.h"
#include "core/nn/layers.h"

namespace xkde {
namespace {

std::vector<float> rope_frequencies(const ModelConfig& config) {
  std::vector<float> frequencies = inverse_frequencies(config.head_dim, config.rope.theta);
  switch (config.rope.scaling) {
    case RopeConfig::Scaling::kNone:
      break;
    case RopeConfig::Scaling::kLinear:
      for (float& f : frequencies) f /= static_cast<float>(config.rope.factor);
      break;
    case RopeConfig::Scaling::kLlama3:
      scale_llama3(frequencies, {.factor = config.rope.factor,
                                 .low_freq_factor = config.rope.low_freq_factor,
                                 .high_freq_factor = config.rope.high_freq_factor,
                                 .original_max_position_embeddings =
                                     config.rope.original_max_position_embeddings});
      break;
  }
  return frequencies;
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(x, weight, bias.defined() ? std::make_optional(bias) : std::nullopt);
}

}  // namespace

/// The parameters of a block by their roles; absent ones are undefined.
class Decoder::BlockParameters {
 public:
  /// `tensors` outlive it.
  BlockParameters(const std::vector<Parameter>& kinds, const std::vector<at::Tensor>& tensors) {
    by_role_.fill(&absent_);
    for (size_t i = 0; i < kinds.size(); ++i) {
      by_role_[static_cast<size_t>(kinds[i].role)] = &tensors[i];
    }
  }
  const at::Tensor& operator[](TensorRole role) const {
    return *by_role_[static_cast<size_t>(role)];
  }

 private:
  at::Tensor absent_;
  std::array<const at::Tensor*, kNumTensorRoles> by_role_;
};

Decoder::Decoder(ModelConfig config)
    : config_(std::move(config)),
      units_(units_of(config_)),
      frequencies_(rope_frequencies(config_)) {
  for (const DecoderUnit& unit : units_) parameters_.push_back(joined(unit));
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

at::Tensor Decoder::embed(const at::Tensor& ids, const std::vector<at::Tensor>& parameters) const {
  return at::embedding(parameters.front(), ids);
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
      x = pass.block ? pass.block(unit, parameters, x) : block(parameters, x, context);
    }
    if (pass.done) pass.done(unit);
  }
  return x;
}

at::Tensor Decoder::logits(const at::Tensor& rows, const UnitWeights& weights) const {
  const at::Tensor hidden = final_norm(rows, weights(head_unit()).front());
  return at::linear(hidden, weights(output_unit()).back());
}

RotaryTable Decoder::rotary(const at::Tensor& positions, at::ScalarType dtype) const {
  const at::Tensor frequencies = copy_to_device(
      at::tensor(frequencies_, at::TensorOptions().dtype(at::kFloat)), positions.device());
  return rotary_table(positions, frequencies, dtype);
}

BlockContext Decoder::context(const PackedBatch& batch, at::ScalarType dtype) const {
  return {rotary(batch.positions, dtype),
          plan_attention(batch.segments, attention_shape(), dtype, batch.positions.device())};
}

AttentionShape Decoder::attention_shape() const {
  return {config_.num_attention_heads, config_.num_key_value_heads, config_.head_dim};
}

at::Tensor Decoder::block_qkv(const std::vector<at::Tensor>& parameters,
                              const at::Tensor& x) const {
  const BlockParameters p(parameters_[1], parameters);
  return linear(rms_norm(x, p[TensorRole::kInputNorm], config_.rms_norm_eps), p[TensorRole::kQkv],
                p[TensorRole::kQkvBias]);
}

at::Tensor Decoder::block_rest(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                               const at::Tensor& attended) const {
  const BlockParameters p(parameters_[1], parameters);
  const at::Tensor middle = x + linear(attended, p[TensorRole::kAttentionOutput],
                                       p[TensorRole::kAttentionOutputBias]);  // [T, D]
  const at::Tensor gate_up =
      linear(rms_norm(middle, p[TensorRole::kPostNorm], config_.rms_norm_eps),
             p[TensorRole::kGateUp], p[TensorRole::kGateUpBias]);  // [T, 2F]
  return middle + linear(swiglu(gate_up), p[TensorRole::kDown], p[TensorRole::kDownBias]);
}

at::Tensor Decoder::block(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                          const BlockContext& context) const {
  const at::Tensor attended = packed_attention(block_qkv(parameters, x), attention_shape(),
                                               context.rotary, context.attention);
  return block_rest(parameters, x, attended);
}

at::Tensor Decoder::final_norm(const at::Tensor& rows, const at::Tensor& weight) const {
  return rms_norm(rows, weight, config_.rms_norm_eps);
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
