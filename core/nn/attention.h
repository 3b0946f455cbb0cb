#ifndef XKDE_CORE_NN_ATTENTION_H_
#define XKDE_CORE_NN_ATTENTION_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/rope.h"

namespace xkde {

/// A run of consecutive rows that attend only among themselves.
struct AttentionSegment {
  int64_t length = 0;
  at::Tensor mask;  ///< bool [length, length], true where row i sees row j; undefined: plain causal
};

struct AttentionShape {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
};

/// Grouped-query self-attention of packed rows. qkv [T, (H + 2K) E] holds queries, keys and values
/// side by side; the segments' lengths add up to T. Returns [T, H E]. Source: arXiv:2305.13245.
at::Tensor packed_attention(const at::Tensor& qkv, const AttentionShape& shape,
                            const RotaryTable& rotary,
                            const std::vector<AttentionSegment>& segments);

}  // namespace xkde

#endif  // XKDE_CORE_NN_ATTENTION_H_
