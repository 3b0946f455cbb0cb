#ifndef XKDE_CORE_MODEL_FAMILIES_LORA_BLOCKS_H_
#define XKDE_CORE_MODEL_FAMILIES_LORA_BLOCKS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/model/families/family.h"
#include "core/model/families/lora_options.h"

namespace xkde {

/// One matrix of an adapter, under the name that PEFT's files have for it.
struct LoraTensor {
  std::string name;  ///< "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
  std::vector<int64_t> shape;
  std::string base;      ///< the weight that it adapts, under its Hugging Face name
  bool is_first = true;  ///< lora_A [r, I]; else lora_B [O, r]
};

/// Consecutive rows of a matrix.
struct RowRange {
  int64_t begin = 0;
  int64_t count = 0;
};

/// The adapters of a block whose inputs are one: those of neighbours of one role.
struct LoraGroup {
  TensorRole role = TensorRole::kQkv;
  int64_t columns = 0;         ///< of the joined weight
  std::vector<RowRange> rows;  ///< of each adapter in the joined weight
};

/// The adapters of one block. In their flat vector each group has its first matrices, then its
/// second ones.
struct LoraBlock {
  std::string name;  ///< "block 0"
  std::vector<LoraTensor> tensors;
  std::vector<LoraGroup> groups;
};

/// Those of every block of a model. Throws ConfigError where a target is no linear layer of its
/// blocks: expected those, found the target.
std::vector<LoraBlock> lora_blocks(const ModelConfig& config, const LoraOptions& options);

/// The targets by their own names, "q_proj", in the order of a block. Throws as lora_blocks() does.
std::vector<std::string> lora_modules(const ModelConfig& config, const LoraOptions& options);

/// "q_proj" of "model.layers.0.self_attn.q_proj", or of a name without dots.
std::string lora_module_name(const std::string& path);

/// How training begins: the first matrix uniform in ±1 / sqrt(I), the second zero, as in PEFT.
/// Fills a tensor; depends on seed and name alone.
void fill_new_adapter(const LoraTensor& tensor, uint64_t seed, std::span<float> out);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_FAMILIES_LORA_BLOCKS_H_
