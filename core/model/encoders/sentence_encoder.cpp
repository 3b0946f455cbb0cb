#include "core/model/encoders/sentence_encoder.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/io/file_reader.h"
#include "core/model/encoders/sentence_encoder_config.h"
#include "core/model/encoders/tensor_reader.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/nn/run_attention.h"
#include "core/text/regex/unicode.h"
#include "core/text/sentencepiece/sentencepiece.h"
#include "core/text/tokenizer/word_piece.h"
#include "core/text/xlmr_tokenizer.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int64_t>;

struct Layer {
  Affine qkv, output;
  LayerNorm attention_norm;
  Affine up, down;
  LayerNorm norm;
};

Layer read_layer(const TensorReader& reader, const std::string& prefix,
                 const SentenceEncoderConfig& config) {
  const int64_t width = config.hidden_size;
  const int64_t inner = config.intermediate_size;
  const bool mpnet = config.family == EncoderFamily::kMpnet;
  const std::string self = prefix + (mpnet ? "attention.attn." : "attention.self.");
  const std::vector<std::string> qkv =
      mpnet ? std::vector{self + "q", self + "k", self + "v"}
            : std::vector{self + "query", self + "key", self + "value"};
  const std::string norm = mpnet ? "attention.LayerNorm" : "attention.output.LayerNorm";
  return {reader.joined(qkv, width, width),
          reader.affine(mpnet ? self + "o" : prefix + "attention.output.dense", width, width),
          reader.norm(prefix + norm, width, config.layer_norm_eps),
          reader.affine(prefix + "intermediate.dense", inner, width),
          reader.affine(prefix + "output.dense", width, inner),
          reader.norm(prefix + "output.LayerNorm", width, config.layer_norm_eps)};
}

/// Files of a model with a head put the encoder's name before each tensor's.
std::string prefix_of(const WeightFile& weights) {
  for (const char* prefix : {"bert.", "roberta.", "mpnet."}) {
    if (weights.has(std::string(prefix) + "embeddings.word_embeddings.weight")) return prefix;
  }
  return "";
}

/// [L, L]: the bucket of the distance from query row i to key row j. Half of the buckets are for
/// keys behind; of each half, one half counts single steps and the other grows with the logarithm
/// up to 128. In fp32 as transformers computes it. Source: arXiv:1910.10683.
at::Tensor distance_buckets(int64_t length, int64_t buckets) {
  constexpr double kFarthest = 128.0;
  const at::Tensor places = at::arange(length, at::kLong);
  const at::Tensor distance = places.unsqueeze(0) - places.unsqueeze(1);
  const int64_t half = buckets / 2;
  const int64_t exact = half / 2;
  const at::Tensor steps = distance.abs();
  const double growth = std::log(kFarthest / static_cast<double>(exact));
  const at::Tensor far = exact + ((steps.to(at::kFloat) / exact).log() / growth * (half - exact))
                                     .clamp(0, half - 1 - exact)
                                     .to(at::kLong);
  return at::where(steps < exact, steps, far) + (distance > 0).to(at::kLong) * half;
}

std::string lowercased(const std::string& text) {
  std::string lower;
  const size_t invalid = unicode::first_invalid_byte(text);
  if (invalid != std::string_view::npos) return text;  // which the tokenizer refuses
  for (size_t at = 0; at < text.size();) unicode::append_lowercase(lower, unicode::next(text, at));
  return lower;
}

}  // namespace

struct SentenceEncoder::Impl {
  SentenceEncoderConfig config;
  std::optional<WordPiece> words;
  std::optional<XlmrTokenizer> pieces;
  at::Tensor token_embedding, position_embedding;
  at::Tensor type_embedding;  ///< undefined where tokens have no types
  at::Tensor distance_bias;   ///< [H, L, L] of the longest text; undefined but for MPNet
  LayerNorm embedding_norm;
  std::vector<Layer> layers;

  void open_tokenizer(const fs::path& folder) {
    if (const fs::path model = SentencePiece::find(folder); !model.empty()) {
      pieces = XlmrTokenizer::open(model);
    } else {
      words = WordPiece::open(folder);
    }
    const int64_t tokens = pieces ? pieces->size() : words->size();
    XKDE_CHECK(tokens <= config.vocab_size, DataError, (folder / "config.json").string(),
               ": vocab_size: expected at least the tokenizer's ", tokens, " tokens, found ",
               config.vocab_size);
  }

  void read_weights(const fs::path& folder, TensorReader::Use use) {
    const auto weights = open_safetensors(required_safetensors_files(folder, "AutoModel"));
    const TensorReader reader(*weights, folder.string(), use);
    const std::string prefix = prefix_of(*weights);
    const std::string embeddings = prefix + "embeddings.";
    const int64_t width = config.hidden_size;
    token_embedding =
        reader.tensor(embeddings + "word_embeddings.weight", {config.vocab_size, width});
    position_embedding =
        reader.tensor(embeddings + "position_embeddings.weight", {config.max_positions, width});
    if (config.token_types > 0) {
      type_embedding =
          reader.tensor(embeddings + "token_type_embeddings.weight", {config.token_types, width});
    }
    if (config.distance_buckets > 0) {
      const at::Tensor by_bucket = reader.tensor(prefix + "encoder.relative_attention_bias.weight",
                                                 {config.distance_buckets, config.num_heads});
      if (reader.reads()) distance_bias = bias_of_distances(by_bucket);
    }
    embedding_norm = reader.norm(embeddings + "LayerNorm", width, config.layer_norm_eps);
    for (int64_t layer = 0; layer < config.num_layers; ++layer) {
      layers.push_back(read_layer(reader, concat(prefix, "encoder.layer.", layer, "."), config));
    }
  }

  at::Tensor bias_of_distances(const at::Tensor& by_bucket) const {
    const at::Tensor buckets = distance_buckets(config.max_length, config.distance_buckets);
    return at::embedding(by_bucket, buckets).permute({2, 0, 1}).contiguous();
  }

  Ids ids_of(const std::string& text) const {
    if (pieces) {
      return pieces->encode(config.lowercase ? lowercased(text) : text, config.max_length);
    }
    // WordPiece's own lower-casing takes accents along.
    const bool is_done = !config.lowercase || words->lowercases();
    return words->encode(is_done ? text : lowercased(text), config.max_length);
  }

  /// Last hidden rows [T, D] of packed texts.
  at::Tensor hidden(std::span<const Ids> rows, const std::vector<AttentionRun>& runs) const {
    Ids ids;
    Ids positions;
    for (const Ids& row : rows) {
      ids.insert(ids.end(), row.begin(), row.end());
      int64_t next = config.first_position;
      for (const int64_t id : row) {
        positions.push_back(id == config.first_position - 1 ? id : next++);
      }
    }
    at::Tensor x = at::embedding(token_embedding, at::tensor(ids, at::kLong));
    if (type_embedding.defined()) x = x + type_embedding[0];
    x = embedding_norm(x + at::embedding(position_embedding, at::tensor(positions, at::kLong)));
    const int64_t width = config.hidden_size;
    for (const Layer& layer : layers) {
      const at::Tensor qkv = layer.qkv(x);
      const at::Tensor mixed = run_attention(qkv.narrow(1, 0, width), qkv.narrow(1, width, width),
                                             qkv.narrow(1, 2 * width, width), config.num_heads,
                                             runs, /*causal=*/false, distance_bias);
      x = layer.attention_norm(layer.output(mixed).add_(x));
      x = layer.norm(layer.down(activate(layer.up(x), config.activation)).add_(x));
    }
    return x;
  }

  at::Tensor embed_batch(std::span<const Ids> rows) const {
    std::vector<int64_t> lengths;
    for (const Ids& row : rows) lengths.push_back(static_cast<int64_t>(row.size()));
    const std::vector<AttentionRun> runs = self_runs(lengths);
    const at::Tensor x = hidden(rows, runs);
    std::vector<at::Tensor> pooled;
    for (const AttentionRun& run : runs) {
      pooled.push_back(config.pooling == Pooling::kCls
                           ? x[run.query_begin]
                           : x.narrow(0, run.query_begin, run.query_length).mean(0));
    }
    const at::Tensor out = at::stack(pooled);
    return config.normalize ? out / out.norm(2, {1}, /*keepdim=*/true).clamp_min(1e-12) : out;
  }
};

SentenceEncoder::SentenceEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SentenceEncoder::SentenceEncoder(SentenceEncoder&&) noexcept = default;
SentenceEncoder& SentenceEncoder::operator=(SentenceEncoder&&) noexcept = default;
SentenceEncoder::~SentenceEncoder() = default;

SentenceEncoder SentenceEncoder::open(const fs::path& folder) {
  auto impl = std::make_unique<Impl>();
  impl->config = SentenceEncoderConfig::from_folder(folder);
  impl->open_tokenizer(impl->config.folder);
  impl->read_weights(impl->config.folder, TensorReader::Use::kRead);
  return SentenceEncoder(std::move(impl));
}

void SentenceEncoder::check(const fs::path& folder) {
  Impl impl;
  impl.config = SentenceEncoderConfig::from_folder(folder);
  impl.open_tokenizer(impl.config.folder);
  impl.read_weights(impl.config.folder, TensorReader::Use::kCheck);
}

int64_t SentenceEncoder::width() const noexcept { return impl_->config.hidden_size; }

const std::string& SentenceEncoder::prompt(Role role) const {
  switch (role) {
    case Role::kText:
      return impl_->config.text_prompt;
    case Role::kQuery:
      return impl_->config.query_prompt;
    case Role::kDocument:
      return impl_->config.document_prompt;
  }
  throw InternalError("role of a text: not one of the enumerators");
}

std::vector<std::string> SentenceEncoder::prompted(const std::string& prompt,
                                                   std::span<const std::string> texts) {
  std::vector<std::string> all;
  for (const std::string& text : texts) all.push_back(prompt + text);
  return all;
}

std::vector<int64_t> SentenceEncoder::token_ids(const std::string& text) const {
  return impl_->ids_of(text);
}

at::Tensor SentenceEncoder::embed(std::span<const std::string> texts,
                                  int64_t max_tokens_per_batch) const {
  const c10::InferenceMode guard;
  std::vector<Ids> rows;
  for (const std::string& text : texts) rows.push_back(impl_->ids_of(text));
  at::Tensor out = at::empty({static_cast<int64_t>(rows.size()), width()}, at::kFloat);
  for (size_t begin = 0; begin < rows.size();) {
    check_stop();
    size_t end = begin;
    for (int64_t tokens = 0; end < rows.size(); ++end) {
      tokens += static_cast<int64_t>(rows[end].size());
      if (end > begin && tokens > max_tokens_per_batch) break;
    }
    const auto count = static_cast<int64_t>(end - begin);
    out.narrow(0, static_cast<int64_t>(begin), count)
        .copy_(impl_->embed_batch(std::span(rows).subspan(begin, end - begin)));
    begin = end;
  }
  return out;
}

}  // namespace xkde
