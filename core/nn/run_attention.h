#ifndef XKDE_CORE_NN_RUN_ATTENTION_H_
#define XKDE_CORE_NN_RUN_ATTENTION_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace xkde {

/// Consecutive query rows and the consecutive key rows that they see.
struct AttentionRun {
  int64_t query_begin = 0;
  int64_t query_length = 0;
  int64_t key_begin = 0;
  int64_t key_length = 0;
};

/// Runs that attend among themselves: one for each sequence of packed rows.
std::vector<AttentionRun> self_runs(const std::vector<int64_t>& lengths);

/// Softmax attention of packed rows without padding: query [T, H E], key and value [S, H E] of one
/// float dtype (rows may be strided), scaled by E^-1/2. Each query row of a run sees the run's
/// keys; `causal` (runs with as many queries as keys): those up to its own position. The runs cover
/// all T rows. `bias`, where given, is [H, L, L] with L no less than the longest run: what the
/// scaled score of a run's query row i and key row j has added; not with `causal`. Returns [T, H
/// E]. Source: arXiv:1706.03762.
at::Tensor run_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         int64_t num_heads, const std::vector<AttentionRun>& runs, bool causal,
                         const at::Tensor& bias = {});

}  // namespace xkde

#endif  // XKDE_CORE_NN_RUN_ATTENTION_H_
