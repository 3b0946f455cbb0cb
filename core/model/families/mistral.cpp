#include "core/model/families/tensor_lists.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;

constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}, kStays},
    {kQkv, "self_attn.q_proj.weight", "attn_q.weight", {kQueries, kHidden}},
    {kQkv, "self_attn.k_proj.weight", "attn_k.weight", {kKeys, kHidden}},
    {kQkv, "self_attn.v_proj.weight", "attn_v.weight", {kKeys, kHidden}},
    {kAttentionOutput, "self_attn.o_proj.weight", "attn_output.weight", {kHidden, kQueries}},
    {kPostNorm, "post_attention_layernorm.weight", "ffn_norm.weight", {kHidden}, kStays},
    {kGateUp, "mlp.gate_proj.weight", "ffn_gate.weight", {kInner, kHidden}},
    {kGateUp, "mlp.up_proj.weight", "ffn_up.weight", {kInner, kHidden}},
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}}};

/// Without the key transformers takes the window of the first model.
void read(const ConfigReader& reader, ModelConfig& config) {
  constexpr int64_t kFirstModel = 4096;
  read_window(reader, kFirstModel, config.windows);
}

void write(const ModelConfig& config, Json& json) {
  write_windows(config.windows, config.num_hidden_layers, /*lists=*/false, json);
}

constexpr std::string_view kLimits[] = {
    "a GGUF file of it says `llama` and has no window: for the first 7B, whose window is 4,096, "
    "take the Hugging Face folder."};

}  // namespace

/// Source: arXiv:2310.06825. GGUF files of it say that they are a Llama, and have no window.
extern constexpr Family kMistral = {.model_type = "mistral",
                                    .architecture = "MistralForCausalLM",
                                    .gguf_architecture = "",
                                    .read = read,
                                    .write = write,
                                    .embedding = kTokenEmbedding,
                                    .block = kBlockTensors,
                                    .head = kNormAndOutput,
                                    .arithmetic = {.has_windows = true},
                                    .models = "Mistral 7B, Nemo, Small (text)",
                                    .limits = kLimits};

}  // namespace xkde
