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
    {kQueryNorm, "self_attn.q_norm.weight", "attn_q_norm.weight", {kHead}, kStays, kPlusOne},
    {kKeyNorm, "self_attn.k_norm.weight", "attn_k_norm.weight", {kHead}, kStays, kPlusOne},
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

constexpr Arithmetic kArithmetic = [] {
  Arithmetic arithmetic = kGemmaArithmetic;
  arithmetic.has_local_rope = true;
  return arithmetic;
}();

void read(const ConfigReader& reader, ModelConfig& config) {
  constexpr double kUsualLocalTheta = 10000.0;
  read_gemma(reader, {.period = 6}, config);
  if (!config.local_rope) {
    config.local_rope.emplace().theta = reader.number_or("rope_local_base_freq", kUsualLocalTheta);
  }
}

void write(const ModelConfig& config, Json& json) {
  write_gemma(config, json);
  json["sliding_window_pattern"] = config.windows.period;
  json["rope_local_base_freq"] = config.local_rope->theta;
}

void read_gguf(const GgufFile& file, Json& json) {
  constexpr int64_t kLayersOf27B = 62;
  read_gemma_gguf(file, kLayersOf27B, json);
  if (file.has("gemma3.rope.freq_base_swa")) {
    json["rope_local_base_freq"] = file.number("gemma3.rope.freq_base_swa");
  }
}

constexpr std::string_view kLimits[] = {
    "a folder with images (`gemma3`) is refused: save its text part by itself."};

}  // namespace

/// The text models. Source: arXiv:2503.19786. Layers with a window rotate by a base of their own.
extern constexpr Family kGemma3 = {.model_type = "gemma3_text",
                                   .architecture = "Gemma3ForCausalLM",
                                   .gguf_architecture = "gemma3",
                                   .read = read,
                                   .write = write,
                                   .embedding = kTokenEmbedding,
                                   .block = kBlockTensors,
                                   .head = kGemmaHead,
                                   .read_gguf = read_gguf,
                                   .arithmetic = kArithmetic,
                                   .default_head_dim = 256,
                                   .default_rope_theta = 1e6,
                                   .ties_by_default = true,
                                   .models = "Gemma 3 270M, 1B, text parts of others",
                                   .limits = kLimits};

}  // namespace xkde
