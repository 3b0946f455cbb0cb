#include "core/model/families/qwen_windows.h"
#include "core/model/families/tensor_lists.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;
using enum GgufForm;

// The present transformers decays neither biases nor norms of any family.
constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}, kStays},
    {kQkv, "self_attn.q_proj.weight", "attn_q.weight", {kQueries, kHidden}},
    {kQkv, "self_attn.k_proj.weight", "attn_k.weight", {kKeys, kHidden}},
    {kQkv, "self_attn.v_proj.weight", "attn_v.weight", {kKeys, kHidden}},
    {kQkvBias,
     "self_attn.q_proj.bias",
     "attn_q.bias",
     {kQueries},
     kStays,
     kAsIs,
     has_attention_bias},
    {kQkvBias, "self_attn.k_proj.bias", "attn_k.bias", {kKeys}, kStays, kAsIs, has_attention_bias},
    {kQkvBias, "self_attn.v_proj.bias", "attn_v.bias", {kKeys}, kStays, kAsIs, has_attention_bias},
    {kQueryNorm, "self_attn.q_norm.weight", "attn_q_norm.weight", {kHead}, kStays},
    {kKeyNorm, "self_attn.k_norm.weight", "attn_k_norm.weight", {kHead}, kStays},
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
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}}};

void read(const ConfigReader& reader, ModelConfig& config) {
  config.attention_bias = reader.boolean_or("attention_bias", false);
  read_qwen_windows(reader, config);
}

void write(const ModelConfig& config, Json& json) {
  json["attention_bias"] = config.attention_bias;
  write_qwen_windows(config, json);
}

constexpr std::string_view kLimits[] = {"models with experts (`qwen3_moe`) are another type."};

}  // namespace

/// Source: arXiv:2505.09388. Queries and keys have a norm of each head.
extern constexpr Family kQwen3 = {.model_type = "qwen3",
                                  .architecture = "Qwen3ForCausalLM",
                                  .gguf_architecture = "qwen3",
                                  .read = read,
                                  .write = write,
                                  .embedding = kTokenEmbedding,
                                  .block = kBlockTensors,
                                  .head = kNormAndOutput,
                                  .arithmetic = {.has_windows = true},
                                  .default_head_dim = 128,
                                  .models = "Qwen3",
                                  .limits = kLimits};

}  // namespace xkde
