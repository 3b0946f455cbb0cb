#ifndef XKDE_CORE_MODEL_ENCODERS_M2M100_CONFIG_H_
#define XKDE_CORE_MODEL_ENCODERS_M2M100_CONFIG_H_

#include <cstdint>
#include <filesystem>

#include "core/model/encoders/activation.h"

namespace xkde {

/// config.json of an M2M-100 or NLLB model.
struct M2m100Config {
  int64_t vocab_size = 0;
  int64_t d_model = 0;
  int64_t encoder_layers = 0;
  int64_t decoder_layers = 0;
  int64_t encoder_heads = 0;
  int64_t decoder_heads = 0;
  int64_t encoder_ffn = 0;
  int64_t decoder_ffn = 0;
  int64_t pad_id = 1;
  int64_t decoder_start_id = 2;
  bool scale_embedding = true;
  bool tie_word_embeddings = true;
  EncoderActivation activation = EncoderActivation::kRelu;

  /// Throws MissingInputError, or DataError (file, key, expected, found) for a model_type other
  /// than m2m_100 among others.
  static M2m100Config from_file(const std::filesystem::path& file);
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_M2M100_CONFIG_H_
