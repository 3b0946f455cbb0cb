#include "core/model/families/lora_blocks.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/model/families/model_config.h"

namespace xkde {
namespace {

constexpr TensorRole kLinearRoles[] = {TensorRole::kQkv, TensorRole::kAttentionOutput,
                                       TensorRole::kGateUp, TensorRole::kDown};
constexpr std::string_view kWeight = ".weight";
constexpr std::string_view kPeftPrefix = "base_model.model.";

bool is_linear(const UnitTensor& tensor) {
  return std::ranges::find(kLinearRoles, tensor.role) != std::end(kLinearRoles);
}

/// "model.layers.0.self_attn.q_proj" of "model.layers.0.self_attn.q_proj.weight".
std::string module_path(const UnitTensor& tensor) {
  XKDE_CHECK(tensor.name.ends_with(kWeight), InternalError, "tensor ", tensor.name,
             " has no weight's name");
  return tensor.name.substr(0, tensor.name.size() - kWeight.size());
}

std::string module_name(const UnitTensor& tensor) { return lora_module_name(module_path(tensor)); }

void check_targets(const DecoderUnit& block, const LoraOptions& options) {
  std::set<std::string> known;
  std::string text;
  for (const UnitTensor& tensor : block.tensors) {
    if (!is_linear(tensor) || !known.insert(module_name(tensor)).second) continue;
    text += (text.empty() ? "" : ", ") + module_name(tensor);
  }
  for (const std::string& target : options.target_modules) {
    XKDE_CHECK(target == kAllLinear || known.contains(target), ConfigError,
               "target_modules: expected ", kAllLinear, " or some of ", text, ", found ", target);
  }
}

bool is_target(const UnitTensor& tensor, const LoraOptions& options) {
  if (!is_linear(tensor)) return false;
  const auto& targets = options.target_modules;
  return std::ranges::find(targets, kAllLinear) != targets.end() ||
         std::ranges::find(targets, module_name(tensor)) != targets.end();
}

/// The adapters of the tensors of one role, which are neighbours.
void add_group(std::span<const UnitTensor> tensors, const LoraOptions& options, LoraBlock& block) {
  LoraGroup group{.role = tensors.front().role, .columns = tensors.front().shape[1], .rows = {}};
  std::vector<LoraTensor> second;
  int64_t row = 0;
  for (const UnitTensor& tensor : tensors) {
    const int64_t rows = tensor.shape[0];
    if (is_target(tensor, options)) {
      const std::string path = std::string(kPeftPrefix) + module_path(tensor);
      group.rows.push_back({row, rows});
      block.tensors.push_back(
          {path + ".lora_A.weight", {options.r, group.columns}, tensor.name, true});
      second.push_back({path + ".lora_B.weight", {rows, options.r}, tensor.name, false});
    }
    row += rows;
  }
  if (group.rows.empty()) return;
  block.tensors.insert(block.tensors.end(), second.begin(), second.end());
  block.groups.push_back(std::move(group));
}

LoraBlock lora_block(const DecoderUnit& unit, const LoraOptions& options) {
  LoraBlock block{.name = unit.name, .tensors = {}, .groups = {}};
  const std::span<const UnitTensor> all(unit.tensors);
  for (size_t begin = 0; begin < all.size();) {
    size_t end = begin + 1;
    while (end < all.size() && all[end].role == all[begin].role) ++end;
    if (is_linear(all[begin])) add_group(all.subspan(begin, end - begin), options, block);
    begin = end;
  }
  return block;
}

}  // namespace

std::string lora_module_name(const std::string& path) { return path.substr(path.rfind('.') + 1); }

std::vector<std::string> lora_modules(const ModelConfig& config, const LoraOptions& options) {
  const DecoderUnit block = unit_at(config, 1);
  check_targets(block, options);
  std::vector<std::string> modules;
  for (const UnitTensor& tensor : block.tensors) {
    if (is_target(tensor, options)) modules.push_back(module_name(tensor));
  }
  return modules;
}

std::vector<LoraBlock> lora_blocks(const ModelConfig& config, const LoraOptions& options) {
  std::vector<LoraBlock> blocks;
  for (int64_t unit = 1; unit + 1 < num_units(config); ++unit) {
    const DecoderUnit block = unit_at(config, unit);
    if (unit == 1) check_targets(block, options);
    blocks.push_back(lora_block(block, options));
  }
  return blocks;
}

void fill_new_adapter(const LoraTensor& tensor, uint64_t seed, std::span<float> out) {
  if (!tensor.is_first) {
    std::ranges::fill(out, 0.0F);
    return;
  }
  RandomStream random(seed, tensor.name);
  const double bound = 1.0 / std::sqrt(static_cast<double>(tensor.shape[1]));
  for (float& value : out) value = static_cast<float>((2.0 * random.uniform() - 1.0) * bound);
}

}  // namespace xkde
