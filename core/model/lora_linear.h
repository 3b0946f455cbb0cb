#ifndef XKDE_CORE_MODEL_LORA_LINEAR_H_
#define XKDE_CORE_MODEL_LORA_LINEAR_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/families/lora_blocks.h"

namespace xkde {

/// Which inputs of an adapter are left out, drawn anew wherever `seeds` or `key` is another. The
/// draw of a row depends on its seed and on nothing else of the batch.
struct LoraDropout {
  double rate = 0.0;  ///< in [0, 1); 0: none is left out
  at::Tensor seeds;   ///< int64 [T], on the CPU; undefined: none is left out
  uint64_t key = 0;   ///< of the layer
};

/// Low-rank adapters of one weight [O, I], each of some of its rows. They share their input.
struct LoraWeights {
  at::Tensor a;                ///< [K r, I], of K adapters, joined by rows
  std::vector<at::Tensor> b;   ///< [rows[k].count, r] of adapter k
  std::vector<RowRange> rows;  ///< of adapter k; disjoint, in order
  double scale = 1.0;
  LoraDropout dropout = {};
};

/// x weight' + bias, and scale (drop(x) a') b' added to the rows of each adapter: x [T, I], weight
/// [O, I], bias [O] or undefined. One dtype, which the result [T, O] has. Inputs that are kept are
/// multiplied by 1 / (1 - rate). Gradients go to x, a and b; `weight` and `bias` are frozen, and no
/// product is made for theirs. Source: arXiv:2106.09685.
at::Tensor lora_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const LoraWeights& lora);

/// weight + scale b a on the rows of each adapter, fp32 [O, I].
at::Tensor lora_merged(const at::Tensor& weight, const LoraWeights& lora);

/// The factors that dropout multiplies inputs [T, width] with: 0 or 1 / (1 - rate), in `options`.
at::Tensor lora_dropout_factors(const LoraDropout& dropout, int64_t width,
                                const at::TensorOptions& options);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_LORA_LINEAR_H_
