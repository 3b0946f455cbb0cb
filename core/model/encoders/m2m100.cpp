#include "core/model/encoders/m2m100.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include "core/base/error.h"
#include "core/model/encoders/tensor_reader.h"
#include "core/model/pretrained/folder_weights.h"
#include "core/nn/run_attention.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

constexpr double kNormEps = 1e-5;
/// The head of an NLLB model has 1 GB: it is read once a batch, and its part of the logits stays in
/// the cache until its exponentials are summed up.
constexpr int64_t kLogitColumns = 2048;

struct FeedForward {
  LayerNorm norm;
  Affine up, down;
};

struct EncoderLayer {
  LayerNorm attention_norm;
  Affine qkv, output;
  FeedForward ffn;
};

struct DecoderLayer {
  EncoderLayer own;  ///< self-attention and feed-forward
  LayerNorm cross_norm;
  Affine cross_q, cross_kv, cross_output;
};

FeedForward read_ffn(const TensorReader& reader, const std::string& prefix, int64_t width,
                     int64_t inner) {
  return {reader.norm(prefix + "final_layer_norm", width, kNormEps),
          reader.affine(prefix + "fc1", inner, width), reader.affine(prefix + "fc2", width, inner)};
}

EncoderLayer read_layer(const TensorReader& reader, const std::string& prefix, int64_t width,
                        int64_t inner) {
  const std::string attention = prefix + "self_attn.";
  return {reader.norm(prefix + "self_attn_layer_norm", width, kNormEps),
          reader.joined({attention + "q_proj", attention + "k_proj", attention + "v_proj"}, width,
                        width),
          reader.affine(attention + "out_proj", width, width),
          read_ffn(reader, prefix, width, inner)};
}

DecoderLayer read_decoder_layer(const TensorReader& reader, const std::string& prefix,
                                int64_t width, int64_t inner) {
  const std::string cross = prefix + "encoder_attn.";
  return {read_layer(reader, prefix, width, inner),
          reader.norm(prefix + "encoder_attn_layer_norm", width, kNormEps),
          reader.affine(cross + "q_proj", width, width),
          reader.joined({cross + "k_proj", cross + "v_proj"}, width, width),
          reader.affine(cross + "out_proj", width, width)};
}

/// Sines in the first half of the columns, cosines in the second. transformers computes the
/// frequencies in fp32 like this; positions of padding have zeros.
at::Tensor sinusoids(const std::vector<int64_t>& positions, int64_t width, int64_t pad) {
  const int64_t half = width / 2;
  const double step = std::log(10000.0) / static_cast<double>(half - 1);
  const at::Tensor frequencies = at::exp(at::arange(half, at::kFloat) * -step);
  const at::Tensor at_rows = at::tensor(positions, at::kLong);
  const at::Tensor angles = at_rows.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  at::Tensor table = at::cat({at::sin(angles), at::cos(angles)}, 1);
  if (width % 2 == 1) table = at::constant_pad_nd(table, {0, 1});
  return table.masked_fill(at_rows.eq(pad).unsqueeze(1), 0.0);
}

void add_self_attention(at::Tensor& hidden, const EncoderLayer& layer, int64_t heads,
                        const std::vector<AttentionRun>& runs, bool causal) {
  const int64_t width = hidden.size(1);
  const at::Tensor qkv = layer.qkv(layer.attention_norm(hidden));
  hidden.add_(layer.output(run_attention(qkv.narrow(1, 0, width), qkv.narrow(1, width, width),
                                         qkv.narrow(1, 2 * width, width), heads, runs, causal)));
}

void add_cross_attention(at::Tensor& hidden, const DecoderLayer& layer, const at::Tensor& sources,
                         int64_t heads, const std::vector<AttentionRun>& runs) {
  const int64_t width = hidden.size(1);
  const at::Tensor kv = layer.cross_kv(sources);
  const at::Tensor query = layer.cross_q(layer.cross_norm(hidden));
  hidden.add_(layer.cross_output(run_attention(query, kv.narrow(1, 0, width),
                                               kv.narrow(1, width, width), heads, runs, false)));
}

void add_ffn(at::Tensor& hidden, const FeedForward& ffn, EncoderActivation activation) {
  hidden.add_(ffn.down(activate(ffn.up(ffn.norm(hidden)), activation)));
}

std::vector<int64_t> lengths_of(std::span<const M2m100::Ids> rows) {
  std::vector<int64_t> lengths;
  for (const auto& row : rows) lengths.push_back(static_cast<int64_t>(row.size()));
  return lengths;
}

std::string embedding_name(const WeightFile& weights) {
  // Converted files may name the shared matrix by any of its uses.
  for (const char* name : {"model.shared.weight", "model.encoder.embed_tokens.weight",
                           "model.decoder.embed_tokens.weight"}) {
    if (weights.has(name)) return name;
  }
  return "model.shared.weight";
}

}  // namespace

struct M2m100::Impl {
  M2m100Config config;
  std::vector<fs::path> files;
  at::Tensor embedding;  ///< [V, D]
  at::Tensor head;       ///< [V, D]; the embedding where tied
  std::vector<EncoderLayer> encoder;
  std::vector<DecoderLayer> decoder;
  LayerNorm encoder_norm, decoder_norm;

  void read(const fs::path& folder, TensorReader::Use use);

  /// Scaled embeddings and positions of all rows, packed: [T, D].
  at::Tensor embed(std::span<const Ids> rows) const {
    Ids ids;
    std::vector<int64_t> positions;
    for (const Ids& row : rows) {
      int64_t position = config.pad_id;
      for (const int64_t id : row) {
        XKDE_CHECK(id >= 0 && id < config.vocab_size, InternalError, "M2M-100: expected ids below ",
                   config.vocab_size, ", found ", id);
        ids.push_back(id);
        positions.push_back(id == config.pad_id ? config.pad_id : ++position);
      }
    }
    const double scale =
        config.scale_embedding ? std::sqrt(static_cast<double>(config.d_model)) : 1.0;
    return at::embedding(embedding, at::tensor(ids, at::kLong)) * scale +
           sinusoids(positions, config.d_model, config.pad_id);
  }

  /// Losses of `labels` [T] from final rows [T, D]: logits of all rows, a few columns at a time.
  std::vector<double> losses(const at::Tensor& hidden, const Ids& labels) const {
    const at::Tensor own_rows = at::embedding(head, at::tensor(labels, at::kLong));
    at::Tensor total;
    for (int64_t column = 0; column < config.vocab_size; column += kLogitColumns) {
      const int64_t count = std::min(kLogitColumns, config.vocab_size - column);
      const at::Tensor part = at::logsumexp(at::linear(hidden, head.narrow(0, column, count)), {1});
      total = total.defined() ? at::logaddexp(total, part) : part;
    }
    const at::Tensor losses = total.sub_((hidden * own_rows).sum(1)).to(at::kDouble);
    const double* values = losses.const_data_ptr<double>();
    return {values, values + losses.numel()};
  }
};

M2m100::M2m100(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
M2m100::M2m100(M2m100&&) noexcept = default;
M2m100& M2m100::operator=(M2m100&&) noexcept = default;
M2m100::~M2m100() = default;

const M2m100Config& M2m100::config() const noexcept { return impl_->config; }
const std::vector<fs::path>& M2m100::files() const noexcept { return impl_->files; }

M2m100 M2m100::open(const fs::path& folder) {
  auto impl = std::make_unique<Impl>();
  impl->read(folder, TensorReader::Use::kRead);
  return M2m100(std::move(impl));
}

M2m100Config M2m100::check(const fs::path& folder) {
  Impl impl;
  impl.read(folder, TensorReader::Use::kCheck);
  return impl.config;
}

void M2m100::Impl::read(const fs::path& folder, TensorReader::Use use) {
  config = M2m100Config::from_file(folder / "config.json");
  const std::vector<fs::path> weight_files =
      required_safetensors_files(folder, "M2M100ForConditionalGeneration");
  files = {folder / "config.json"};
  files.insert(files.end(), weight_files.begin(), weight_files.end());
  const auto weights = open_safetensors(weight_files);
  const TensorReader reader(*weights, folder.string(), use);
  const int64_t width = config.d_model;
  const std::vector<int64_t> matrix = {config.vocab_size, width};
  embedding = reader.tensor(embedding_name(*weights), matrix);
  head = config.tie_word_embeddings ? embedding : reader.tensor("lm_head.weight", matrix);
  for (int64_t layer = 0; layer < config.encoder_layers; ++layer) {
    encoder.push_back(
        read_layer(reader, concat("model.encoder.layers.", layer, "."), width, config.encoder_ffn));
  }
  for (int64_t layer = 0; layer < config.decoder_layers; ++layer) {
    decoder.push_back(read_decoder_layer(reader, concat("model.decoder.layers.", layer, "."), width,
                                         config.decoder_ffn));
  }
  encoder_norm = reader.norm("model.encoder.layer_norm", width, kNormEps);
  decoder_norm = reader.norm("model.decoder.layer_norm", width, kNormEps);
}

M2m100::Encoded M2m100::encode(std::span<const Ids> sources) const {
  const c10::InferenceMode guard;
  Encoded encoded{impl_->embed(sources), lengths_of(sources)};
  const std::vector<AttentionRun> runs = self_runs(encoded.lengths);
  for (const EncoderLayer& layer : impl_->encoder) {
    add_self_attention(encoded.hidden, layer, config().encoder_heads, runs, /*causal=*/false);
    add_ffn(encoded.hidden, layer.ffn, config().activation);
  }
  encoded.hidden = impl_->encoder_norm(encoded.hidden);
  return encoded;
}

std::vector<std::vector<double>> M2m100::label_losses(const Encoded& sources,
                                                      std::span<const int64_t> source_of,
                                                      std::span<const Ids> labels) const {
  const c10::InferenceMode guard;
  std::vector<Ids> inputs(labels.begin(), labels.end());
  Ids flat;
  for (Ids& row : inputs) {
    flat.insert(flat.end(), row.begin(), row.end());
    row.insert(row.begin(), config().decoder_start_id);
    row.pop_back();
  }
  const std::vector<AttentionRun> own = self_runs(lengths_of(labels));
  const std::vector<AttentionRun> rows_of_source = self_runs(sources.lengths);
  std::vector<AttentionRun> cross = own;
  for (size_t i = 0; i < cross.size(); ++i) {
    const AttentionRun& source = rows_of_source.at(static_cast<size_t>(source_of[i]));
    cross[i].key_begin = source.key_begin;
    cross[i].key_length = source.key_length;
  }
  at::Tensor hidden = impl_->embed(inputs);
  for (const DecoderLayer& layer : impl_->decoder) {
    add_self_attention(hidden, layer.own, config().decoder_heads, own, /*causal=*/true);
    add_cross_attention(hidden, layer, sources.hidden, config().decoder_heads, cross);
    add_ffn(hidden, layer.own.ffn, config().activation);
  }
  const std::vector<double> all = impl_->losses(impl_->decoder_norm(hidden), flat);
  std::vector<std::vector<double>> losses;
  for (const AttentionRun& run : own) {
    const auto begin = all.begin() + run.query_begin;
    losses.emplace_back(begin, begin + run.query_length);
  }
  return losses;
}

}  // namespace xkde
