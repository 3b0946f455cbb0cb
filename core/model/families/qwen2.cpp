#include "core/model/families/qwen_windows.h"
#include "core/model/families/tensor_lists.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;
using enum GgufForm;

// Q30: transformers decays the norm weights of a Qwen2, but not its biases.
constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}},
    {kQkv, "self_attn.q_proj.weight", "attn_q.weight", {kQueries, kHidden}},
    {kQkv, "self_attn.k_proj.weight", "attn_k.weight", {kKeys, kHidden}},
    {kQkv, "self_attn.v_proj.weight", "attn_v.weight", {kKeys, kHidden}},
    {kQkvBias, "self_attn.q_proj.bias", "attn_q.bias", {kQueries}, kStays},
    {kQkvBias, "self_attn.k_proj.bias", "attn_k.bias", {kKeys}, kStays},
    {kQkvBias, "self_attn.v_proj.bias", "attn_v.bias", {kKeys}, kStays},
    {kAttentionOutput, "self_attn.o_proj.weight", "attn_output.weight", {kHidden, kQueries}},
    {kPostNorm, "post_attention_layernorm.weight", "ffn_norm.weight", {kHidden}},
    {kGateUp, "mlp.gate_proj.weight", "ffn_gate.weight", {kInner, kHidden}},
    {kGateUp, "mlp.up_proj.weight", "ffn_up.weight", {kInner, kHidden}},
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}}};

constexpr TensorSpec kHeadTensors[] = {
    {kFinalNorm, "model.norm.weight", "output_norm.weight", {kHidden}},
    {kOutput, "lm_head.weight", "output.weight", {kVocab, kHidden}, kDecays, kAsIs, has_output}};

void read(const ConfigReader& reader, ModelConfig& config) {
  config.attention_bias = true;
  read_qwen_windows(reader, config);
}

constexpr std::string_view kLimits[] = {"the rotations of images (mrope) are refused."};

}  // namespace

/// Source: arXiv:2407.10671. Queries, keys and values always have a bias, and nothing else has one.
extern constexpr Family kQwen2 = {.model_type = "qwen2",
                                  .architecture = "Qwen2ForCausalLM",
                                  .gguf_architecture = "qwen2",
                                  .read = read,
                                  .write = write_qwen_windows,
                                  .embedding = kTokenEmbedding,
                                  .block = kBlockTensors,
                                  .head = kHeadTensors,
                                  .arithmetic = {.has_windows = true},
                                  .models = "Qwen2, Qwen2.5",
                                  .limits = kLimits};

}  // namespace xkde
