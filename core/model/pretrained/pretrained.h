#ifndef XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_
#define XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/io/blocks/block_formats.h"
#include "core/model/families/model_config.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The named tensors of one model on disk under Hugging Face names
/// ("model.layers.0.self_attn.q_proj.weight"), whatever the file format.
class WeightFile {
 public:
  virtual ~WeightFile() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  virtual std::vector<int64_t> shape(const std::string& name) const = 0;
  /// Throws DataError where read_f32() would, as the tensor's format cannot be decoded.
  virtual void check_readable(const std::string& name) const = 0;
  /// Whether two tensors hold the same bytes in one format. False says nothing about their values.
  virtual bool holds_same(const std::string& one, const std::string& other) const = 0;
  /// Row-major fp32 values from `first` on, as many as `out` takes. Of the others no more is read
  /// than blocks and changed orders of rows ask for. Throws DataError.
  virtual void read_f32(const std::string& name, int64_t first, std::span<float> out) const = 0;
  /// The blocks whose values are those of read_f32(), in its order; null where the file has no such
  /// blocks.
  virtual const BlockFormat* blocks_of(const std::string& /*name*/) const { return nullptr; }
  /// The blocks themselves; `out` has exactly their number of bytes. Needs blocks_of().
  virtual void read_blocks(const std::string& name, std::span<std::byte> out) const;
};

/// WeightFile::read_f32() of a tensor whose values must be numbers. `place` begins the message.
/// Throws DataError that names the tensor where one is NaN or infinite.
void read_finite_f32(const WeightFile& weights, const std::string& place, const std::string& name,
                     int64_t first, std::span<float> out);

/// A model on disk: a Hugging Face folder (config.json, model.safetensors or its sharded index,
/// tokenizer.json or tokenizer.model, tokenizer_config.json, chat_template.jinja) or a .gguf file
/// (the first of them where the model was split).
struct PretrainedModel {
  std::filesystem::path path;
  ModelConfig config;
  Tokenizer tokenizer;
  std::string chat_template;  ///< Jinja source, empty when the model has none
  Json generation_config;     ///< generation_config.json, null when the model has none
  std::unique_ptr<WeightFile> weights;
  /// What results follow from, for run.json's SHA-256 list.
  std::vector<std::filesystem::path> files;

  /// The ids that end an answer in this format: of config.json and generation_config.json, the end
  /// of a turn, the tokenizer's end token.
  std::vector<int64_t> stop_ids(const ChatTemplate& format) const;
};

/// The model's chat template with its special tokens, for ChatTemplate::select. `date` is what
/// strftime_now tells: "2026-11-28", with a time behind it or without; empty: nothing.
ModelTemplate own_template(const PretrainedModel& model, const std::string& date);

/// Opens all parts and checks that every tensor of the config is there with its shape and in a
/// format that can be decoded, before any is read, and that every id that the tokenizer can give
/// has a row of the embedding. Tensors that such a model does not have are left out, and one
/// warning names them. A head of its own unties a model whose config calls it tied, as in
/// transformers 5. Pickled weights (.bin, .pt) are refused with a hint. Throws MissingInputError or
/// DataError.
PretrainedModel open_pretrained(const std::filesystem::path& path);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_
