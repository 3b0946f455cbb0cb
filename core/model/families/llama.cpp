#include "core/model/families/tensor_lists.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;
using enum GgufForm;

bool has_mlp_bias(const ModelConfig& config) { return config.mlp_bias; }

// Q30: transformers decays neither biases nor norms of a Llama.
constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}, kStays},
    {kQkv, "self_attn.q_proj.weight", "attn_q.weight", {kQueries, kHidden}, kDecays, kPairs},
    {kQkv, "self_attn.k_proj.weight", "attn_k.weight", {kKeys, kHidden}, kDecays, kPairs},
    {kQkv, "self_attn.v_proj.weight", "attn_v.weight", {kKeys, kHidden}},
    {kQkvBias,
     "self_attn.q_proj.bias",
     "attn_q.bias",
     {kQueries},
     kStays,
     kPairs,
     has_attention_bias},
    {kQkvBias, "self_attn.k_proj.bias", "attn_k.bias", {kKeys}, kStays, kPairs, has_attention_bias},
    {kQkvBias, "self_attn.v_proj.bias", "attn_v.bias", {kKeys}, kStays, kAsIs, has_attention_bias},
    {kAttentionOutput, "self_attn.o_proj.weight", "attn_output.weight", {kHidden, kQueries}},
    {kAttentionOutputBias,
     "self_attn.o_proj.bias",
     "attn_output.bias",
     {kHidden},
     kStays,
     kAsIs,
     has_attention_bias},
    {kPostNorm, "post_attention_layernorm.weight", "ffn_norm.weight", {kHidden}, kStays},
    {kGateUp, "mlp.gate_proj.weight", "ffn_gate.weight", {kInner, kHidden}},
    {kGateUp, "mlp.up_proj.weight", "ffn_up.weight", {kInner, kHidden}},
    {kGateUpBias, "mlp.gate_proj.bias", "ffn_gate.bias", {kInner}, kStays, kAsIs, has_mlp_bias},
    {kGateUpBias, "mlp.up_proj.bias", "ffn_up.bias", {kInner}, kStays, kAsIs, has_mlp_bias},
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}},
    {kDownBias, "mlp.down_proj.bias", "ffn_down.bias", {kHidden}, kStays, kAsIs, has_mlp_bias}};

void read(const ConfigReader& reader, ModelConfig& config) {
  config.attention_bias = reader.boolean_or("attention_bias", false);
  config.mlp_bias = reader.boolean_or("mlp_bias", false);
}

void write(const ModelConfig& config, Json& json) {
  json["attention_bias"] = config.attention_bias;
  json["mlp_bias"] = config.mlp_bias;
}

}  // namespace

/// Source: arXiv:2302.13971.
extern constexpr Family kLlama = {.model_type = "llama",
                                  .architecture = "LlamaForCausalLM",
                                  .gguf_architecture = "llama",
                                  .read = read,
                                  .write = write,
                                  .embedding = kTokenEmbedding,
                                  .block = kBlockTensors,
                                  .head = kNormAndOutput,
                                  .models = "Llama 2, 3, 3.1, 3.2, 3.3, SmolLM2, TinyLlama"};

}  // namespace xkde
