#include "core/model/decoder.h"

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
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

bool bias_on_output(const ModelConfig& config) {
  return config.attention_bias && config.family == ModelFamily::kLlama;
}

/// Hands out consecutive views of a flat vector.
class FlatReader {
 public:
  explicit FlatReader(const at::Tensor& flat) : flat_(flat) {}
  at::Tensor matrix(int64_t rows, int64_t columns) {
    return take(rows * columns).view({rows, columns});
  }
  at::Tensor vector(int64_t length) { return take(length); }

 private:
  at::Tensor take(int64_t numel) {
    const at::Tensor view = flat_.narrow(0, offset_, numel);
    offset_ += numel;
    return view;
  }
  const at::Tensor& flat_;
  int64_t offset_ = 0;
};

/// The parameters of a block in the order of Decoder::parameters; absent biases are undefined.
struct BlockParameters {
  at::Tensor input_norm, qkv, qkv_bias, output, output_bias;
  at::Tensor post_norm, gate_up, gate_up_bias, down, down_bias;

  BlockParameters(const ModelConfig& config, const std::vector<at::Tensor>& all) {
    size_t next = 0;
    input_norm = all[next++];
    qkv = all[next++];
    if (config.attention_bias) qkv_bias = all[next++];
    output = all[next++];
    if (bias_on_output(config)) output_bias = all[next++];
    post_norm = all[next++];
    gate_up = all[next++];
    if (config.mlp_bias) gate_up_bias = all[next++];
    down = all[next++];
    if (config.mlp_bias) down_bias = all[next++];
  }
};

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(x, weight, bias.defined() ? std::make_optional(bias) : std::nullopt);
}

}  // namespace

Decoder::Decoder(ModelConfig config)
    : config_(std::move(config)), frequencies_(rope_frequencies(config_)) {
  const std::vector<int64_t> matrix = {config_.vocab_size, config_.hidden_size};
  units_.push_back({"embedding", {{"model.embed_tokens.weight", matrix, true}}});
  for (int64_t layer = 0; layer < num_blocks(); ++layer) units_.push_back(make_block(layer));
  const bool norm_decays = config_.family == ModelFamily::kQwen2;
  DecoderUnit head{"head", {{"model.norm.weight", {config_.hidden_size}, norm_decays}}};
  if (!tied()) head.tensors.push_back({"lm_head.weight", matrix, true});
  units_.push_back(std::move(head));
}

DecoderUnit Decoder::make_block(int64_t layer) const {
  const int64_t width = config_.hidden_size;
  const int64_t q = config_.num_attention_heads * config_.head_dim;
  const int64_t kv = config_.num_key_value_heads * config_.head_dim;
  const int64_t inner = config_.intermediate_size;
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  // Q30: transformers decays the norm weights of Qwen2, but not those of Llama.
  const bool norm_decays = config_.family == ModelFamily::kQwen2;

  DecoderUnit unit{"block " + std::to_string(layer), {}};
  const auto add = [&](const std::string& name, std::vector<int64_t> shape, bool decays) {
    unit.tensors.push_back({prefix + name, std::move(shape), decays});
  };
  add("input_layernorm.weight", {width}, norm_decays);
  add("self_attn.q_proj.weight", {q, width}, true);
  add("self_attn.k_proj.weight", {kv, width}, true);
  add("self_attn.v_proj.weight", {kv, width}, true);
  if (config_.attention_bias) {
    add("self_attn.q_proj.bias", {q}, false);
    add("self_attn.k_proj.bias", {kv}, false);
    add("self_attn.v_proj.bias", {kv}, false);
  }
  add("self_attn.o_proj.weight", {width, q}, true);
  if (bias_on_output(config_)) add("self_attn.o_proj.bias", {width}, false);
  add("post_attention_layernorm.weight", {width}, norm_decays);
  add("mlp.gate_proj.weight", {inner, width}, true);
  add("mlp.up_proj.weight", {inner, width}, true);
  if (config_.mlp_bias) {
    add("mlp.gate_proj.bias", {inner}, false);
    add("mlp.up_proj.bias", {inner}, false);
  }
  add("mlp.down_proj.weight", {width, inner}, true);
  if (config_.mlp_bias) add("mlp.down_proj.bias", {width}, false);
  return unit;
}

std::vector<at::Tensor> Decoder::parameters(size_t unit, const at::Tensor& flat) const {
  const int64_t width = config_.hidden_size;
  FlatReader reader(flat);
  if (unit == 0) return {reader.matrix(config_.vocab_size, width)};
  if (unit == head_unit()) {
    std::vector<at::Tensor> head = {reader.vector(width)};
    if (!tied()) head.push_back(reader.matrix(config_.vocab_size, width));
    return head;
  }
  const int64_t q = config_.num_attention_heads * config_.head_dim;
  const int64_t qkv = q + 2 * config_.num_key_value_heads * config_.head_dim;
  const int64_t inner = config_.intermediate_size;
  std::vector<at::Tensor> block = {reader.vector(width), reader.matrix(qkv, width)};
  if (config_.attention_bias) block.push_back(reader.vector(qkv));
  block.push_back(reader.matrix(width, q));
  if (bias_on_output(config_)) block.push_back(reader.vector(width));
  block.push_back(reader.vector(width));
  block.push_back(reader.matrix(2 * inner, width));
  if (config_.mlp_bias) block.push_back(reader.vector(2 * inner));
  block.push_back(reader.matrix(width, inner));
  if (config_.mlp_bias) block.push_back(reader.vector(width));
  return block;
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
  const BlockParameters p(config_, parameters);
  return linear(rms_norm(x, p.input_norm, config_.rms_norm_eps), p.qkv, p.qkv_bias);
}

at::Tensor Decoder::block_rest(const std::vector<at::Tensor>& parameters, const at::Tensor& x,
                               const at::Tensor& attended) const {
  const BlockParameters p(config_, parameters);
  const at::Tensor middle = x + linear(attended, p.output, p.output_bias);
  const at::Tensor gate_up =
      linear(rms_norm(middle, p.post_norm, config_.rms_norm_eps), p.gate_up, p.gate_up_bias);
  return middle + linear(swiglu(gate_up), p.down, p.down_bias);
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
  const int64_t q = config_.num_attention_heads * config_.head_dim;
  const int64_t kv = config_.num_key_value_heads * config_.head_dim;
  return config_.num_hidden_layers * config_.hidden_size *
         (2 * q + 2 * kv + 3 * config_.intermediate_size);
}

}  // namespace xkde
