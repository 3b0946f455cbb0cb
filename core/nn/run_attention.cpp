#include "core/nn/run_attention.h"

#include <optional>

#include <ATen/ATen.h>

namespace xkde {

std::vector<AttentionRun> self_runs(const std::vector<int64_t>& lengths) {
  std::vector<AttentionRun> runs;
  int64_t begin = 0;
  for (const int64_t length : lengths) {
    runs.push_back({begin, length, begin, length});
    begin += length;
  }
  return runs;
}

// NOLINTNEXTLINE(readability-function-size): the operands of one attention
at::Tensor run_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                         int64_t num_heads, const std::vector<AttentionRun>& runs, bool causal,
                         const at::Tensor& bias) {
  const int64_t width = query.size(1);
  const auto heads = [&](const at::Tensor& rows, int64_t begin, int64_t length) {
    return rows.narrow(0, begin, length)
        .unflatten(1, {num_heads, width / num_heads})
        .transpose(0, 1)
        .unsqueeze(0);
  };
  at::Tensor out = at::empty({query.size(0), width}, query.options());
  // Against the projections around it the loop costs little, and nothing is spent on padding.
  for (const AttentionRun& run : runs) {
    std::optional<at::Tensor> added;
    if (bias.defined()) {
      added = bias.narrow(1, 0, run.query_length).narrow(2, 0, run.key_length).unsqueeze(0);
    }
    heads(out, run.query_begin, run.query_length)
        .copy_(at::scaled_dot_product_attention(heads(query, run.query_begin, run.query_length),
                                                heads(key, run.key_begin, run.key_length),
                                                heads(value, run.key_begin, run.key_length), added,
                                                /*dropout_p=*/0.0, causal));
  }
  return out;
}

}  // namespace xkde
