#include "core/model/families/tensor_lists.h"

namespace xkde {
namespace {

using enum TensorRole;
using enum Extent;

constexpr TensorSpec kBlockTensors[] = {
    {kInputNorm, "input_layernorm.weight", "attn_norm.weight", {kHidden}, kStays},
    {kQkv, "self_attn.qkv_proj.weight", "attn_qkv.weight", {kJoinedQkv, kHidden}},
    {kAttentionOutput, "self_attn.o_proj.weight", "attn_output.weight", {kHidden, kQueries}},
    {kPostNorm, "post_attention_layernorm.weight", "ffn_norm.weight", {kHidden}, kStays},
    {kGateUp, "mlp.gate_up_proj.weight", "ffn_up.weight", {kJoinedGateUp, kHidden}},
    {kDown, "mlp.down_proj.weight", "ffn_down.weight", {kHidden, kInner}}};

void read(const ConfigReader& reader, ModelConfig& config) {
  read_window(reader, /*usual=*/0, config.windows);
  const char* share = "partial_rotary_factor";
  config.rope.partial_rotary_factor = reader.number_or(share, 1.0);
  if (reader.has("rope_parameters")) {
    config.rope.partial_rotary_factor =
        reader.object("rope_parameters").number_or(share, config.rope.partial_rotary_factor);
  }
}

/// transformers 4 takes exactly three keys in rope_scaling.
void write(const ModelConfig& config, Json& json) {
  write_windows(config.windows, config.num_hidden_layers, /*lists=*/false, json);
  json["partial_rotary_factor"] = config.rope.partial_rotary_factor;
  json["original_max_position_embeddings"] = config.context_length();
  if (config.rope.scaling == RopeConfig::Scaling::kLongRope) {
    json["rope_scaling"] = {{"type", "longrope"},
                            {"short_factor", config.rope.short_factor},
                            {"long_factor", config.rope.long_factor}};
  }
}

void read_gguf(const GgufFile& file, Json& json) {
  const char* window = "phi3.attention.sliding_window";
  // Converters write 0 for none.
  if (file.has(window) && file.integer(window) != 0) json["sliding_window"] = file.integer(window);
  const auto heads = json["num_attention_heads"].get<int64_t>();
  if (!file.has("phi3.rope.dimension_count") || heads <= 0) return;
  const int64_t head_dim = json["hidden_size"].get<int64_t>() / heads;
  if (head_dim == 0) return;
  json["partial_rotary_factor"] = static_cast<double>(file.integer("phi3.rope.dimension_count")) /
                                  static_cast<double>(head_dim);
}

constexpr std::string_view kLimits[] = {
    "Phi-3-small and the models with experts or images are other types."};

}  // namespace

/// Source: arXiv:2404.14219. Queries, keys and values are one matrix, and so are gate and up.
extern constexpr Family kPhi3 = {.model_type = "phi3",
                                 .architecture = "Phi3ForCausalLM",
                                 .gguf_architecture = "phi3",
                                 .read = read,
                                 .write = write,
                                 .embedding = kTokenEmbedding,
                                 .block = kBlockTensors,
                                 .head = kNormAndOutput,
                                 .read_gguf = read_gguf,
                                 .arithmetic = {.has_windows = true},
                                 .models = "Phi-3, Phi-3.5, Phi-4, Phi-4-mini",
                                 .limits = kLimits};

}  // namespace xkde
