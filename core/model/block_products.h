#ifndef XKDE_CORE_MODEL_BLOCK_PRODUCTS_H_
#define XKDE_CORE_MODEL_BLOCK_PRODUCTS_H_

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "core/model/families/family.h"

namespace xkde {

/// How a block multiplies with its weights, for callers that add to the products, look at them or
/// change them: adapters, editors, observers of activations.
class BlockProducts {
 public:
  virtual ~BlockProducts() = default;
  /// x [T, I] by weight [O, I] and bias [O], which may be undefined: [T, O]. `role` is that of the
  /// weight.
  virtual at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                             const at::Tensor& bias) const = 0;

 protected:
  BlockProducts() = default;
  BlockProducts(const BlockProducts&) = default;
  BlockProducts& operator=(const BlockProducts&) = default;
};

/// One block of a pass with products of its own.
struct LayerProducts {
  int64_t layer = -1;                       ///< -1: none
  const BlockProducts* products = nullptr;  ///< outlives the pass

  const BlockProducts* of(int64_t other) const { return other == layer ? products : nullptr; }
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_BLOCK_PRODUCTS_H_
