#ifndef XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_
#define XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/io/json_file.h"
#include "core/model/families/families.h"

namespace xkde {

/// Rotary embedding: base frequency and the scaling of long-context variants.
/// Source: transformers modeling_rope_utils.py.
struct RopeConfig {
  enum class Scaling { kNone, kLinear, kLlama3 };
  double theta = 10000.0;
  Scaling scaling = Scaling::kNone;
  double factor = 1.0;                           ///< linear and llama3
  double low_freq_factor = 1.0;                  ///< llama3
  double high_freq_factor = 4.0;                 ///< llama3
  int64_t original_max_position_embeddings = 0;  ///< llama3
};

/// Shapes and constants of a decoder, under their Hugging Face config.json names.
struct ModelConfig {
  const Family* family = &family_named("llama");  ///< never null
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  ///< the block's attention has biases; which ones, the family says
  bool mlp_bias = false;        ///< the block's MLP has biases
  RopeConfig rope;
  std::vector<int64_t> eos_token_id;
  int64_t bos_token_id = -1;  ///< -1: none
  int64_t pad_token_id = -1;  ///< -1: none

  /// From a Hugging Face config.json: both generations (rope_theta + rope_scaling |
  /// rope_parameters). Throws DataError (file, key, expected, found) on a missing or impossible
  /// value, an unknown model_type, an activation other than silu or sliding windows in use.
  static ModelConfig from_json(const Json& config, const std::string& name);
  /// A config.json that transformers (v4 and v5) loads; `dtype` is that of its weights.
  Json to_json(Dtype dtype) const;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_
