#ifndef XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_
#define XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/io/json_file.h"
#include "core/model/families/families.h"
#include "core/model/families/rope_config.h"
#include "core/model/families/windowed_layers.h"

namespace xkde {

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
  double query_pre_attn_scalar = 0.0;    ///< scores are divided by its root; 0: by head_dim's
  double attn_logit_softcapping = 0.0;   ///< 0: scores stay
  double final_logit_softcapping = 0.0;  ///< 0: logits stay
  RopeConfig rope;
  std::optional<RopeConfig> local_rope;  ///< of the layers with a window; nothing: `rope`
  WindowedLayers windows;
  std::vector<int64_t> eos_token_id;
  int64_t bos_token_id = -1;  ///< -1: none
  int64_t pad_token_id = -1;  ///< -1: none

  /// From a Hugging Face config.json: both generations (rope_theta + rope_scaling |
  /// rope_parameters). Throws DataError (file, key, expected, found) on a missing or impossible
  /// value, an unknown model_type, an activation that is not the family's, or windows in a family
  /// that has none.
  static ModelConfig from_json(const Json& config, const std::string& name);
  /// A config.json that transformers (v4 and v5) loads; `dtype` is that of its weights.
  Json to_json(Dtype dtype) const;

  /// The most tokens of one sequence: max_position_embeddings, or the original length of a longrope
  /// model, beyond which its rotations would be others.
  int64_t context_length() const;
  /// The nearest tokens that a token of this layer sees, itself included; 0: all.
  int64_t window(int64_t layer) const { return windows.slides(layer) ? windows.window : 0; }
  /// The rotations of a layer.
  const RopeConfig& rope_of(int64_t layer) const {
    return local_rope && windows.slides(layer) ? *local_rope : rope;
  }
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_MODEL_CONFIG_H_
