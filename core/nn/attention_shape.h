#ifndef XKDE_CORE_NN_ATTENTION_SHAPE_H_
#define XKDE_CORE_NN_ATTENTION_SHAPE_H_

#include <cstdint>

namespace xkde {

/// What attention computes with, in every layer of a model.
struct AttentionShape {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  /// Scores are divided by its square root; 0: by that of head_dim.
  double query_scalar = 0.0;
  /// c: a scaled score s becomes c tanh(s / c); 0: it stays. Source: arXiv:2408.00118.
  double softcap = 0.0;

  double score_divisor_squared() const {
    return query_scalar > 0.0 ? query_scalar : static_cast<double>(head_dim);
  }
};

}  // namespace xkde

#endif  // XKDE_CORE_NN_ATTENTION_SHAPE_H_
