#include "core/model/families/family.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/base/error.h"

namespace xkde {
namespace {

DecoderUnit unit_of(std::string name, std::span<const TensorSpec> specs, const ModelConfig& config,
                    const std::string& prefix = "", const std::string& gguf_prefix = "") {
  DecoderUnit unit{std::move(name), {}};
  for (const TensorSpec& spec : specs) {
    if (spec.exists != nullptr && !spec.exists(config)) continue;
    std::vector<int64_t> shape = {extent_of(spec.shape.rows, config)};
    if (spec.shape.columns != Extent::kNone) {
      shape.push_back(extent_of(spec.shape.columns, config));
    }
    unit.tensors.push_back({.name = prefix + std::string(spec.name),
                            .shape = std::move(shape),
                            .decays = spec.decays,
                            .role = spec.role,
                            .gguf_name = gguf_prefix + std::string(spec.gguf_name),
                            .gguf_form = spec.gguf_form});
  }
  return unit;
}

}  // namespace

int64_t extent_of(Extent extent, const ModelConfig& config) {
  switch (extent) {
    case Extent::kNone:
      return 1;
    case Extent::kVocab:
      return config.vocab_size;
    case Extent::kHidden:
      return config.hidden_size;
    case Extent::kInner:
      return config.intermediate_size;
    case Extent::kQueries:
      return config.num_attention_heads * config.head_dim;
    case Extent::kKeys:
      return config.num_key_value_heads * config.head_dim;
    case Extent::kHead:
      return config.head_dim;
    case Extent::kJoinedQkv:
      return (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim;
    case Extent::kJoinedGateUp:
      return 2 * config.intermediate_size;
  }
  throw InternalError(concat("extent ", static_cast<int>(extent), " has no size"));
}

int64_t UnitTensor::numel() const {
  int64_t product = 1;
  for (const int64_t extent : shape) product *= extent;
  return product;
}

int64_t DecoderUnit::numel() const {
  int64_t total = 0;
  for (const UnitTensor& tensor : tensors) total += tensor.numel();
  return total;
}

int64_t num_units(const ModelConfig& config) { return config.num_hidden_layers + 2; }

DecoderUnit unit_at(const ModelConfig& config, int64_t index) {
  const Family& family = *config.family;
  if (index == 0) return unit_of("embedding", family.embedding, config);
  if (index == num_units(config) - 1) return unit_of("head", family.head, config);
  const std::string number = std::to_string(index - 1);
  return unit_of("block " + number, family.block, config, "model.layers." + number + ".",
                 "blk." + number + ".");
}

std::vector<DecoderUnit> units_of(const ModelConfig& config) {
  std::vector<DecoderUnit> units;
  for (int64_t i = 0; i < num_units(config); ++i) units.push_back(unit_at(config, i));
  return units;
}

std::vector<UnitTensor> tensors_of(const ModelConfig& config) {
  std::vector<UnitTensor> all;
  for (DecoderUnit& unit : units_of(config)) {
    std::move(unit.tensors.begin(), unit.tensors.end(), std::back_inserter(all));
  }
  return all;
}

}  // namespace xkde
