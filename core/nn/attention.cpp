#include "core/nn/attention.h"

#include <optional>

#include <ATen/ATen.h>

#include "core/base/error.h"

namespace xkde {
namespace {

/// [t, K, E] -> [1, H, t, E], each key/value head repeated for its group of queries.
at::Tensor heads_first(const at::Tensor& x, int64_t repeats) {
  at::Tensor repeated = x;
  if (repeats > 1) {
    repeated = x.unsqueeze(2)
                   .expand({x.size(0), x.size(1), repeats, x.size(2)})
                   .reshape({x.size(0), x.size(1) * repeats, x.size(2)});
  }
  return repeated.transpose(0, 1).unsqueeze(0);
}

}  // namespace

at::Tensor packed_attention(const at::Tensor& qkv, const AttentionShape& shape,
                            const RotaryTable& rotary,
                            const std::vector<AttentionSegment>& segments) {
  const int64_t tokens = qkv.size(0);
  const int64_t queries = shape.num_heads;
  const int64_t keys = shape.num_kv_heads;
  const int64_t repeats = queries / keys;
  const at::Tensor heads = qkv.view({tokens, queries + 2 * keys, shape.head_dim});
  const std::vector<at::Tensor> parts = heads.split_with_sizes({queries + keys, keys}, 1);
  const at::Tensor rotated = apply_rotary(parts[0], rotary);
  const std::vector<at::Tensor> qk = rotated.split_with_sizes({queries, keys}, 1);

  std::vector<int64_t> lengths;
  for (const AttentionSegment& segment : segments) lengths.push_back(segment.length);
  const std::vector<at::Tensor> q = qk[0].split_with_sizes(lengths, 0);
  const std::vector<at::Tensor> k = qk[1].split_with_sizes(lengths, 0);
  const std::vector<at::Tensor> v = parts[1].split_with_sizes(lengths, 0);

  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool causal = !segments[i].mask.defined();
    const auto mask = causal ? std::nullopt : std::make_optional(segments[i].mask);
    const at::Tensor out = at::scaled_dot_product_attention(
        heads_first(q[i], 1), heads_first(k[i], repeats), heads_first(v[i], repeats), mask,
        /*dropout_p=*/0.0, causal);
    outputs.push_back(out.squeeze(0).transpose(0, 1).reshape({lengths[i], -1}));
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 0);
}

}  // namespace xkde
