#ifndef XKDE_CORE_MODEL_PRETRAINED_EXPORT_H_
#define XKDE_CORE_MODEL_PRETRAINED_EXPORT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/dtype.h"
#include "core/model/families/model_config.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

struct PretrainedModel;

/// Of a file of weights where nothing else is asked for: transformers' "5GB".
inline constexpr int64_t kMostShardBytes = 5'000'000'000;

/// What is exported beside the weights.
struct ExportedModel {
  const ModelConfig& config;
  const Tokenizer& tokenizer;
  const std::string& chat_template;      ///< Jinja source, empty: none
  const Json& generation_config;         ///< of the source, null: none
  const std::vector<int64_t>& stop_ids;  ///< that an answer may end with
};

/// An opened model with the template and the end tokens that it is exported with. All outlive it.
ExportedModel exported_model(const PretrainedModel& model, const std::string& chat_template,
                             const std::vector<int64_t>& stop_ids);
/// The end tokens that a generation_config.json names, one or a list; none where it is null.
std::vector<int64_t> end_ids_of(const Json& generation_config);

/// Writes a Hugging Face folder: config.json, generation_config.json, model.safetensors (or shards
/// of at most `max_shard_bytes`, unless one tensor has more, and their index), tokenizer.json,
/// tokenizer_config.json, chat_template.jinja. generation_config.json keeps what the source's says;
/// its end tokens are those and all `stop_ids`, so that `generate` ends where this program's
/// answers do. `folder` must be empty, or is made; when an error passes through it is removed.
/// Files are durable on return. `read_f32(name, out)` gives each tensor; `dtype` is theirs in the
/// files (rounded to nearest even). Throws NumericError that names the tensor where a weight is not
/// finite or would not be in `dtype`.
void export_pretrained(const std::filesystem::path& folder, const ExportedModel& model, Dtype dtype,
                       const std::function<void(const std::string&, std::span<float>)>& read_f32,
                       int64_t max_shard_bytes = kMostShardBytes);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_PRETRAINED_EXPORT_H_
