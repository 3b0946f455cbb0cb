#ifndef XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_CONFIG_H_
#define XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_CONFIG_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/model/encoders/activation.h"

namespace xkde {

enum class Pooling { kMean, kCls };
/// `model_type` of config.json: bert, xlm-roberta, mpnet.
enum class EncoderFamily { kBert, kXlmRoberta, kMpnet };

/// config.json and sentence-transformers' files of a sentence encoder.
struct SentenceEncoderConfig {
  EncoderFamily family = EncoderFamily::kBert;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t intermediate_size = 0;
  int64_t max_positions = 0;
  int64_t token_types = 0;  ///< 0 where there are none
  /// Of the first token: 0, or the padding id + 1 for XLM-RoBERTa and MPNet. There a text's own
  /// padding tokens have the position before it and do not count.
  int64_t first_position = 0;
  /// Distances of tokens that MPNet's attention tells apart; 0 for the others.
  int64_t distance_buckets = 0;
  double layer_norm_eps = 1e-12;
  EncoderActivation activation = EncoderActivation::kGelu;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;
  int64_t max_length = 0;  ///< ids of a text, special ones included
  bool lowercase = false;  ///< texts are lower-cased before the tokenizer
  /// What stands before a text, a query and a document, as encode(), encode_query() and
  /// encode_document() of sentence-transformers have it.
  std::string text_prompt, query_prompt, document_prompt;
  std::filesystem::path folder;  ///< of the Transformer module: config.json, weights, tokenizer
  std::vector<std::filesystem::path> files;

  /// Throws MissingInputError or DataError.
  static SentenceEncoderConfig from_folder(const std::filesystem::path& folder);
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_SENTENCE_ENCODER_CONFIG_H_
