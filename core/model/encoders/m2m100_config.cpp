#include "core/model/encoders/m2m100_config.h"

#include <limits>
#include <string>

#include "core/base/error.h"
#include "core/io/json_file.h"

namespace xkde {

M2m100Config M2m100Config::from_file(const std::filesystem::path& file) {
  const Json json = read_json_file(file);
  const JsonPlace root(json, file.string());
  const JsonPlace type = root.object().at("model_type");
  if (type.string() != "m2m_100") type.fail("\"m2m_100\" (an NLLB or M2M-100 model)");
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  const auto size = [&](const char* key) { return root.at(key).integer(1, kMost); };
  const int64_t rows = size("vocab_size");
  const auto id_or = [&](const char* key, int64_t otherwise) {
    const auto found = root.find(key);
    return found ? found->integer(0, rows - 1) : otherwise;
  };
  M2m100Config config{.vocab_size = rows,
                      .d_model = size("d_model"),
                      .encoder_layers = size("encoder_layers"),
                      .decoder_layers = size("decoder_layers"),
                      .encoder_heads = size("encoder_attention_heads"),
                      .decoder_heads = size("decoder_attention_heads"),
                      .encoder_ffn = size("encoder_ffn_dim"),
                      .decoder_ffn = size("decoder_ffn_dim"),
                      .pad_id = id_or("pad_token_id", 1),
                      .decoder_start_id = id_or("decoder_start_token_id", 2),
                      .scale_embedding = root.boolean_or("scale_embedding", true),
                      .tie_word_embeddings = root.boolean_or("tie_word_embeddings", true),
                      .activation = EncoderActivation::kRelu};
  if (const auto activation = root.find("activation_function")) {
    config.activation = activation_of(*activation);
  }
  for (const int64_t heads : {config.encoder_heads, config.decoder_heads}) {
    if (config.d_model % heads != 0) {
      root.at("d_model").fail(concat("a multiple of ", heads, " attention heads"));
    }
  }
  if (config.vocab_size < 4) root.at("vocab_size").fail("at least the 4 special tokens");
  if (config.d_model < 4) root.at("d_model").fail("at least 4");
  return config;
}

}  // namespace xkde
