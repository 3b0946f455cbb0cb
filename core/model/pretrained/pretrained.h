#ifndef XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_
#define XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/model/families/model_config.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The named tensors of one model on disk under Hugging Face names
/// ("model.layers.0.self_attn.q_proj.weight"), whatever the file format. GGUF names and the GGUF
/// row order of Llama's q and k are translated here.
class WeightFile {
 public:
  virtual ~WeightFile() = default;
  virtual std::vector<std::string> names() const = 0;
  virtual bool has(const std::string& name) const = 0;
  virtual std::vector<int64_t> shape(const std::string& name) const = 0;
  /// Row-major fp32 values; `out` has exactly the tensor's number of elements. Throws DataError.
  virtual void read_f32(const std::string& name, std::span<float> out) const = 0;
};

/// A model on disk: a Hugging Face folder (config.json, model.safetensors or its sharded index,
/// tokenizer.json, tokenizer_config.json, chat_template.jinja) or one .gguf file.
struct PretrainedModel {
  std::filesystem::path path;
  ModelConfig config;
  Tokenizer tokenizer;
  std::string chat_template;  ///< Jinja source, empty when the model has none
  std::unique_ptr<WeightFile> weights;
  std::vector<std::filesystem::path> files;  ///< everything read, for run.json's SHA-256 list
};

/// Opens all parts and checks that every tensor of the config is there with its shape, before any
/// is read. Pickled weights (.bin, .pt) are refused with a hint. Throws MissingInputError or
/// DataError.
PretrainedModel open_pretrained(const std::filesystem::path& path);

/// Names and shapes of every tensor that a model of this config has, in canonical order: embedding,
/// layers, norm, head (no lm_head.weight when tied).
struct TensorShape {
  std::string name;
  std::vector<int64_t> shape;
};
std::vector<TensorShape> expected_tensors(const ModelConfig& config);

/// Writes a Hugging Face folder: config.json, generation_config.json, model.safetensors (or shards
/// of at most `max_shard_bytes` and their index), tokenizer.json, tokenizer_config.json,
/// chat_template.jinja. Files appear under `folder`, which must not exist, only when all are
/// complete (temporary folder, fsync, rename). `read_f32(name, out)` gives each tensor; `dtype` is
/// "float32" or "bfloat16" (round to nearest even).
void export_pretrained(const std::filesystem::path& folder, const ModelConfig& config,
                       const Tokenizer& tokenizer, const std::string& chat_template,
                       const std::string& dtype,
                       const std::function<void(const std::string&, std::span<float>)>& read_f32,
                       int64_t max_shard_bytes = int64_t{5} << 30);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_PRETRAINED_H_
