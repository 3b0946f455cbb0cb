#include "core/model/pretrained/gguf_weights.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/model/families/family.h"
#include "core/model/pretrained/gguf_rope.h"
#include "core/text/tokenizer/gguf_kinds.h"

namespace xkde {
namespace {

class GgufWeights : public WeightFile {
 public:
  GgufWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config)
      : file_(std::move(file)), head_dim_(config.head_dim) {
    std::map<std::string, const GgufFile::Tensor*> left;
    for (const GgufFile::Tensor& tensor : file_->tensors()) left[tensor.name] = &tensor;
    const int64_t head = num_units(config) - 1;
    take(unit_at(config, head), left);
    // The metadata may promise any number of blocks: the first that is not there ends them.
    for (int64_t i = 0; i < head && take(unit_at(config, i), left); ++i) {
    }
    // What no model of this config has is refused by its own name.
    for (const auto& [name, tensor] : left) {
      if (!is_gguf_rope_tensor(name)) tensors_[name] = {tensor, GgufForm::kAsIs};
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, stored] : tensors_) names.push_back(name);
    return names;
  }
  bool has(const std::string& name) const override { return tensors_.count(name) != 0; }
  std::vector<int64_t> shape(const std::string& name) const override {
    return find(name).tensor->shape;
  }
  void check_readable(const std::string& name) const override {
    file_->check_readable(*find(name).tensor);
  }
  /// A GGUF file holds one tensor of every kind.
  bool holds_same(const std::string& one, const std::string& other) const override {
    return one == other;
  }

  void read_f32(const std::string& name, int64_t first, std::span<float> out) const override {
    const Stored& stored = find(name);
    if (stored.form == GgufForm::kPairs) return read_pairs(*stored.tensor, first, out);
    file_->read_f32(*stored.tensor, first, out);
    if (stored.form == GgufForm::kPlusOne) {
      for (float& value : out) value -= 1.0F;
    }
  }

  /// Blocks do not cross rows, so that they may change places with them.
  const BlockFormat* blocks_of(const std::string& name) const override {
    const Stored& stored = find(name);
    const bool moves_rows = stored.form == GgufForm::kAsIs || stored.form == GgufForm::kPairs;
    const bool has_rows = stored.tensor->shape.size() == 2;
    return moves_rows && has_rows ? block_format(stored.tensor->dtype) : nullptr;
  }

  void read_blocks(const std::string& name, std::span<std::byte> out) const override {
    const Stored& stored = find(name);
    file_->read_bytes(*stored.tensor, out);
    if (stored.form == GgufForm::kPairs) part_pairs(out, stored.tensor->shape.front());
  }

 private:
  struct Stored {
    const GgufFile::Tensor* tensor;
    GgufForm form;
  };

  /// Moves the unit's tensors from `left` to their Hugging Face names; false: it has none there.
  bool take(const DecoderUnit& unit, std::map<std::string, const GgufFile::Tensor*>& left) {
    bool found = false;
    for (const UnitTensor& tensor : unit.tensors) {
      const auto place = left.find(tensor.gguf_name);
      if (place == left.end()) continue;
      tensors_[tensor.name] = {place->second, tensor.gguf_form};
      left.erase(place);
      found = true;
    }
    return found;
  }

  const Stored& find(const std::string& name) const {
    const auto found = tensors_.find(name);
    XKDE_CHECK(found != tensors_.end(), DataError, file_->path().string(), ": expected tensor ",
               name, ", found none");
    return found->second;
  }

  /// Rows change places within a head: all heads that have one of the values are read.
  void read_pairs(const GgufFile::Tensor& tensor, int64_t first, std::span<float> out) const {
    int64_t columns = 1;
    for (size_t i = 1; i < tensor.shape.size(); ++i) columns *= tensor.shape[i];
    const int64_t head = head_dim_ * columns;
    const int64_t begin = first / head * head;
    const int64_t end = (first + std::ssize(out) + head - 1) / head * head;
    std::vector<float> heads(static_cast<size_t>(end - begin));
    file_->read_f32(tensor, begin, heads);
    part_pairs(std::span(heads), (end - begin) / columns);
    std::copy_n(heads.begin() + (first - begin), out.size(), out.begin());
  }

  /// From GgufForm::kPairs to the order of transformers; `values` has `rows` rows.
  template <typename T>
  void part_pairs(std::span<T> values, int64_t rows) const {
    if (rows == 0) return;
    const std::vector<T> stored(values.begin(), values.end());
    const int64_t half = head_dim_ / 2;
    const int64_t columns = std::ssize(values) / rows;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t head = row / head_dim_;
      const int64_t pair = row % head_dim_ / 2;
      const int64_t side = row % 2;
      const int64_t to = head * head_dim_ + side * half + pair;
      std::copy_n(stored.begin() + row * columns, columns, values.begin() + to * columns);
    }
  }

  std::shared_ptr<const GgufFile> file_;
  int64_t head_dim_;
  std::map<std::string, Stored> tensors_;  ///< by Hugging Face name
};

/// The name in a GGUF file of the first tensor that has this role in `specs`; empty: none has it.
std::string_view gguf_name_of(TensorRole role, std::span<const TensorSpec> specs) {
  for (const TensorSpec& spec : specs) {
    if (spec.role == role) return spec.gguf_name;
  }
  return {};
}

int64_t vocabulary_size(const GgufFile& file, const Family& family) {
  const std::string_view name = family.embedding.front().gguf_name;
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    if (tensor.name == name && tensor.shape.size() == 2) return tensor.shape[0];
  }
  throw DataError(concat(file.path().string(), ": expected tensor ", name, " [V, D], found none"));
}

void read_ids(const GgufFile& file, Json& json) {
  for (const auto& [gguf, config] :
       {std::pair{"bos", "bos_token_id"}, {"eos", "eos_token_id"}, {"padding", "pad_token_id"}}) {
    const std::string id = concat("tokenizer.ggml.", gguf, "_token_id");
    if (file.has(id)) json[config] = file.integer(id);
  }
  std::vector<int64_t> ends;
  if (json.contains("eos_token_id")) ends.push_back(json["eos_token_id"].get<int64_t>());
  for (const char* key : kGgufEndKeys) {
    if (!file.has(key)) continue;
    const int64_t id = file.integer(key);
    if (std::ranges::find(ends, id) == ends.end()) ends.push_back(id);
  }
  if (!ends.empty()) json["eos_token_id"] = ends;
}

}  // namespace

ModelConfig config_from_gguf(const GgufFile& file) {
  const std::string name = file.path().string();
  const std::string architecture = file.string("general.architecture");
  const Family& family =
      family_by(&Family::gguf_architecture, architecture, name + ": general.architecture");
  const auto key = [&](const char* suffix) { return architecture + "." + suffix; };
  // The numbers go through the same checks as a config.json's.
  Json json = {{"model_type", family.model_type},
               {"vocab_size", vocabulary_size(file, family)},
               {"hidden_size", file.integer(key("embedding_length"))},
               {"intermediate_size", file.integer(key("feed_forward_length"))},
               {"num_hidden_layers", file.integer(key("block_count"))},
               {"num_attention_heads", file.integer(key("attention.head_count"))},
               {"max_position_embeddings", file.integer(key("context_length"))},
               {"rms_norm_eps", file.number(key("attention.layer_norm_rms_epsilon"))}};
  if (file.has(key("attention.head_count_kv"))) {
    json["num_key_value_heads"] = file.integer(key("attention.head_count_kv"));
  }
  if (file.has(key("attention.key_length"))) {
    json["head_dim"] = file.integer(key("attention.key_length"));
  }
  if (file.has(key("rope.freq_base"))) json["rope_theta"] = file.number(key("rope.freq_base"));
  read_gguf_rope(file, json);
  const std::string first_bias = concat("blk.0.", gguf_name_of(TensorRole::kQkvBias, family.block));
  const std::string first_mlp_bias =
      concat("blk.0.", gguf_name_of(TensorRole::kGateUpBias, family.block));
  const std::string_view output = gguf_name_of(TensorRole::kOutput, family.head);
  bool tied = true;
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    if (tensor.name == output) tied = false;
    if (tensor.name == first_bias) json["attention_bias"] = true;
    if (tensor.name == first_mlp_bias) json["mlp_bias"] = true;
  }
  json["tie_word_embeddings"] = tied;
  if (family.read_gguf != nullptr) family.read_gguf(file, json);
  read_ids(file, json);
  return ModelConfig::from_json(json, name);
}

std::unique_ptr<WeightFile> open_gguf_weights(std::shared_ptr<const GgufFile> file,
                                              const ModelConfig& config) {
  return std::make_unique<GgufWeights>(std::move(file), config);
}

}  // namespace xkde
