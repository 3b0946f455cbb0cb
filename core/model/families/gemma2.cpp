#include "core/model/families/gemma.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;
using enum GgufForm;

constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}, kStays, kPlusOne},
    {kQkv, "self_attn.q_proj.weight", "attn_q.weight", {kQueries, kHidden}},
    {kQkv, "self_attn.k_proj.weight", "attn_k.weight", {kKeys, kHidden}},
    {kQkv, "self_attn.v_proj.weight", "attn_v.weight", {kKeys, kHidden}},
    {kAttentionOutput, "self_attn.o_proj.weight", "attn_output.weight", {kHidden, kQueries}},
    {kAttentionOutputNorm,
     "post_attention_layernorm.weight",
     "post_attention_norm.weight",
     {kHidden},
     kStays,
     kPlusOne},
    {kPostNorm, "pre_feedforward_layernorm.weight", "ffn_norm.weight", {kHidden}, kStays, kPlusOne},
    {kGateUp, "mlp.gate_proj.weight", "ffn_gate.weight", {kInner, kHidden}},
    {kGateUp, "mlp.up_proj.weight", "ffn_up.weight", {kInner, kHidden}},
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}},
    {kDownNorm,
     "post_feedforward_layernorm.weight",
     "post_ffw_norm.weight",
     {kHidden},
     kStays,
     kPlusOne}};

void read(const ConfigReader& reader, ModelConfig& config) {
  read_gemma(reader, {.attn_logit_softcapping = 50.0, .final_logit_softcapping = 30.0, .period = 2},
             config);
}

void read_gguf(const GgufFile& file, Json& json) {
  constexpr int64_t kLayersOf27B = 46;
  read_gemma_gguf(file, kLayersOf27B, json);
}

constexpr std::string_view kLimits[] = {
    "attention biases and bidirectional attention are refused."};

}  // namespace

/// Source: arXiv:2408.00118.
extern constexpr Family kGemma2 = {.model_type = "gemma2",
                                   .architecture = "Gemma2ForCausalLM",
                                   .gguf_architecture = "gemma2",
                                   .read = read,
                                   .write = write_gemma,
                                   .embedding = kTokenEmbedding,
                                   .block = kBlockTensors,
                                   .head = kGemmaHead,
                                   .read_gguf = read_gguf,
                                   .arithmetic = kGemmaArithmetic,
                                   .default_head_dim = 256,
                                   .ties_by_default = true,
                                   .models = "Gemma 2",
                                   .limits = kLimits};

}  // namespace xkde
