#include "core/model/pretrained/gguf_weights.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/error.h"

namespace xkde {
namespace {

/// GGUF's names of a block's parts and transformers' names of the same.
constexpr std::pair<const char*, const char*> kBlockNames[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

std::string huggingface_name(const std::string& name) {
  if (name == "token_embd.weight") return "model.embed_tokens.weight";
  if (name == "output_norm.weight") return "model.norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  if (!name.starts_with("blk.")) return name;
  const size_t layer_end = name.find('.', 4);
  const size_t part_end = name.rfind('.');
  if (layer_end == std::string::npos || part_end <= layer_end) return name;
  const std::string layer = name.substr(4, layer_end - 4);
  const std::string part = name.substr(layer_end + 1, part_end - layer_end - 1);
  for (const auto& [gguf, huggingface] : kBlockNames) {
    if (part == gguf) return "model.layers." + layer + "." + huggingface + name.substr(part_end);
  }
  return name;
}

class GgufWeights : public WeightFile {
 public:
  GgufWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config)
      : file_(std::move(file)), config_(config) {
    for (const GgufFile::Tensor& tensor : file_->tensors()) {
      tensors_[huggingface_name(tensor.name)] = &tensor;
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }
  bool has(const std::string& name) const override { return tensors_.count(name) != 0; }
  std::vector<int64_t> shape(const std::string& name) const override { return find(name).shape; }

  void read_f32(const std::string& name, std::span<float> out) const override {
    file_->read_f32(find(name), out);
    if (config_.family != ModelFamily::kLlama) return;
    if (name.find(".q_proj.") != std::string::npos) {
      reorder(out, config_.num_attention_heads);
    } else if (name.find(".k_proj.") != std::string::npos) {
      reorder(out, config_.num_key_value_heads);
    }
  }

 private:
  const GgufFile::Tensor& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    XKDE_CHECK(found != tensors_.end(), DataError, file_->path().string(), ": expected tensor ",
               name, ", found none");
    return *found->second;
  }

  /// GGUF keeps the two members of each rotary pair in neighbouring rows, transformers half a head
  /// apart.
  void reorder(std::span<float> values, int64_t heads) const {
    const std::vector<float> stored(values.begin(), values.end());
    const int64_t half = config_.head_dim / 2;
    const int64_t columns = static_cast<int64_t>(values.size()) / (heads * config_.head_dim);
    for (int64_t row = 0; row < heads * config_.head_dim; ++row) {
      const int64_t head = row / config_.head_dim;
      const int64_t pair = row % config_.head_dim / 2;
      const int64_t side = row % 2;
      const int64_t to = head * config_.head_dim + side * half + pair;
      std::copy_n(stored.begin() + row * columns, columns, values.begin() + to * columns);
    }
  }

  std::shared_ptr<const GgufFile> file_;
  ModelConfig config_;
  std::map<std::string, const GgufFile::Tensor*> tensors_;
};

int64_t vocabulary_size(const GgufFile& file) {
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    if (tensor.name == "token_embd.weight" && tensor.shape.size() == 2) return tensor.shape[0];
  }
  throw DataError(file.path().string() + ": expected tensor token_embd.weight [V, D], found none");
}

}  // namespace

ModelConfig config_from_gguf(const GgufFile& file) {
  const std::string name = file.path().string();
  const std::string architecture = file.string("general.architecture");
  XKDE_CHECK(architecture == "llama" || architecture == "qwen2", DataError, name,
             ": general.architecture: expected llama or qwen2, found ", architecture);
  const auto key = [&](const char* suffix) { return architecture + "." + suffix; };
  // The numbers go through the same checks as a config.json's.
  Json json = {{"model_type", architecture},
               {"vocab_size", vocabulary_size(file)},
               {"hidden_size", file.integer(key("embedding_length"))},
               {"intermediate_size", file.integer(key("feed_forward_length"))},
               {"num_hidden_layers", file.integer(key("block_count"))},
               {"num_attention_heads", file.integer(key("attention.head_count"))},
               {"max_position_embeddings", file.integer(key("context_length"))},
               {"rms_norm_eps", file.number(key("attention.layer_norm_rms_epsilon"))}};
  if (file.has(key("attention.head_count_kv"))) {
    json["num_key_value_heads"] = file.integer(key("attention.head_count_kv"));
  }
  if (file.has(key("attention.key_length"))) {
    json["head_dim"] = file.integer(key("attention.key_length"));
  }
  if (file.has(key("rope.freq_base"))) json["rope_theta"] = file.number(key("rope.freq_base"));
  if (file.has(key("rope.scaling.type")) && file.string(key("rope.scaling.type")) != "none") {
    json["rope_scaling"] = {{"rope_type", file.string(key("rope.scaling.type"))},
                            {"factor", file.number(key("rope.scaling.factor"))}};
  }
  bool tied = true;
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    XKDE_CHECK(tensor.name != "rope_freqs.weight", DataError, name,
               ": tensor rope_freqs.weight: expected no baked-in RoPE scaling, found one; use the "
               "Hugging Face folder");
    if (tensor.name == "output.weight") tied = false;
    if (tensor.name == "blk.0.attn_q.bias") json["attention_bias"] = true;
  }
  json["tie_word_embeddings"] = tied;
  for (const auto& [gguf, config] : {std::pair{"bos", "bos_token_id"}, {"eos", "eos_token_id"}}) {
    const std::string id = std::string("tokenizer.ggml.") + gguf + "_token_id";
    if (file.has(id)) json[config] = file.integer(id);
  }
  if (file.has("tokenizer.ggml.padding_token_id")) {
    json["pad_token_id"] = file.integer("tokenizer.ggml.padding_token_id");
  }
  return ModelConfig::from_json(json, name);
}

std::unique_ptr<WeightFile> open_gguf_weights(std::shared_ptr<const GgufFile> file,
                                              const ModelConfig& config) {
  return std::make_unique<GgufWeights>(std::move(file), config);
}

}  // namespace xkde
