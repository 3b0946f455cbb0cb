#ifndef XKDE_CORE_MODEL_LORA_H_
#define XKDE_CORE_MODEL_LORA_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/block_products.h"
#include "core/model/families/lora_blocks.h"
#include "core/model/lora_linear.h"

namespace xkde {

/// The adapters of one block, by the role of the weight that they add to.
class BlockAdapters final : public BlockProducts {
 public:
  BlockAdapters() = default;
  /// `matrices`: for each group of `block` its first matrices, joined, then its second ones.
  BlockAdapters(const LoraBlock& block, const std::vector<at::Tensor>& matrices,
                const LoraOptions& options);
  /// Leaves out inputs by `seeds`, int64 [T]; `layer`: of the block.
  void drop(const at::Tensor& seeds, int64_t layer);
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override;
  /// Null: the weight has none.
  const LoraWeights* of(TensorRole role) const {
    const auto& weights = by_role_[static_cast<size_t>(role)];
    return weights ? &*weights : nullptr;
  }

 private:
  std::array<std::optional<LoraWeights>, kNumTensorRoles> by_role_;
  double rate_ = 0.0;
};

/// The matrices of a block that BlockAdapters takes: views of its flat vector.
std::vector<at::Tensor> lora_matrices(const LoraBlock& block, int64_t r, const at::Tensor& flat);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_LORA_H_
