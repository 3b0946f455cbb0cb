#include "core/nn/attention.h"

#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <c10/core/ScalarTypeToTypeMeta.h>

#include "core/nn/device_copy.h"
#include "core/nn/layers.h"
#include "core/nn/products.h"

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

/// Attention with capped scores, which no kernel of ATen's takes. q, k, v [1, H, t, E]; `mask` bool
/// [t, t], undefined: plain causal.
at::Tensor capped_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const at::Tensor& mask, const AttentionShape& shape) {
  const double scale = 1.0 / std::sqrt(shape.score_divisor_squared());
  const at::Tensor scores =
      soft_capped(at::matmul(widened(q), widened(k).transpose(2, 3)) * scale, shape.softcap);
  const at::Tensor visible =
      mask.defined() ? mask : at::ones({q.size(2), q.size(2)}, q.options().dtype(at::kBool)).tril();
  const at::Tensor weights = at::softmax(scores.masked_fill(visible.logical_not(), -INFINITY), -1);
  return weighted_values(weights, v);
}

/// One call a segment. q [T, H, E]; k, v [T, K, E] -> [T, H E].
at::Tensor segment_attention(const at::Tensor& queries, const at::Tensor& keys,
                             const at::Tensor& values, const AttentionShape& shape,
                             const AttentionPlan& plan) {
  const int64_t repeats = queries.size(1) / keys.size(1);
  std::optional<double> scale;  // ATen's own is that of head_dim
  if (shape.query_scalar > 0.0) scale = 1.0 / std::sqrt(shape.query_scalar);
  const std::vector<at::Tensor> q = queries.split_with_sizes(plan.lengths, 0);
  const std::vector<at::Tensor> k = keys.split_with_sizes(plan.lengths, 0);
  const std::vector<at::Tensor> v = values.split_with_sizes(plan.lengths, 0);
  std::vector<at::Tensor> outputs;
  for (size_t i = 0; i < plan.lengths.size(); ++i) {
    const bool causal = !plan.masks[i].defined();
    const auto mask = causal ? std::nullopt : std::make_optional(plan.masks[i]);
    const at::Tensor query = heads_first(q[i], 1);
    const at::Tensor key = heads_first(k[i], repeats);
    const at::Tensor value = heads_first(v[i], repeats);
    const at::Tensor out = shape.softcap > 0.0
                               ? capped_attention(query, key, value, plan.masks[i], shape)
                               : at::scaled_dot_product_attention(query, key, value, mask,
                                                                  /*dropout_p=*/0.0, causal, scale);
    outputs.push_back(out.squeeze(0).transpose(0, 1).reshape({plan.lengths[i], -1}));
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 0);
}

}  // namespace

std::vector<TreeNode> nodes_of(const std::vector<AttentionSegment>& segments) {
  std::vector<TreeNode> nodes;
  for (const AttentionSegment& segment : segments) {
    const auto first = static_cast<int64_t>(nodes.size());
    if (segment.nodes.empty()) nodes.push_back({segment.length, -1});
    for (const TreeNode& node : segment.nodes) {
      nodes.push_back({node.length, node.parent < 0 ? -1 : first + node.parent});
    }
  }
  return nodes;
}

// NOLINTNEXTLINE(readability-function-size): what a plan depends on
AttentionPlan plan_attention(const std::vector<AttentionSegment>& segments,
                             const AttentionShape& shape, at::ScalarType dtype, at::Device device,
                             int64_t window) {
  const std::vector<TreeNode> nodes = nodes_of(segments);
  if (window >= longest_path(nodes)) window = 0;
  if (window == 0 && shape.softcap == 0.0 && flash_takes(device, dtype, shape.head_dim)) {
    return plan_attention(segments, flash_kernel(), device);
  }
  AttentionPlan plan;
  const bool has_kernels = dtype == at::kFloat || dtype == at::kBFloat16;
  if (device.is_cpu() && has_kernels) plan.paths = make_path_plan(nodes, window);
  return plan.paths ? plan : plan_masked_attention(segments, device, window);
}

AttentionPlan plan_masked_attention(const std::vector<AttentionSegment>& segments,
                                    at::Device device, int64_t window) {
  AttentionPlan plan;
  for (const AttentionSegment& segment : segments) {
    plan.lengths.push_back(segment.length);
    const std::vector<TreeNode> nodes = nodes_of({segment});
    const bool reaches = window == 0 || window >= longest_path(nodes);
    const bool is_plain = segment.nodes.empty() && reaches;
    plan.masks.push_back(is_plain ? at::Tensor()
                                  : copy_to_device(tree_mask(nodes, reaches ? 0 : window), device));
  }
  return plan;
}

AttentionPlan plan_attention(const std::vector<AttentionSegment>& segments,
                             const VarlenKernel& kernel, at::Device device) {
  AttentionPlan plan;
  plan.tree = make_tree_plan(nodes_of(segments), device);
  plan.kernel = &kernel;
  return plan;
}

at::Tensor packed_attention(const at::Tensor& qkv, const AttentionShape& shape,
                            const RotaryTable& rotary, const AttentionPlan& plan) {
  if (plan.paths) {
    return path_attention(qkv, shape, rotary, plan.paths);
  }
  const int64_t tokens = qkv.size(0);
  const int64_t queries = shape.num_heads;
  const int64_t keys = shape.num_kv_heads;
  const at::Tensor heads = qkv.view({tokens, queries + 2 * keys, shape.head_dim});
  const std::vector<at::Tensor> parts = heads.split_with_sizes({queries + keys, keys}, 1);
  const at::Tensor rotated = apply_rotary(parts[0], rotary);
  const std::vector<at::Tensor> qk = rotated.split_with_sizes({queries, keys}, 1);
  if (!plan.tree) return segment_attention(qk[0], qk[1], parts[1], shape, plan);
  const double scale = 1.0 / std::sqrt(shape.score_divisor_squared());
  return tree_attention(qk[0], qk[1], parts[1], plan.tree, *plan.kernel, scale)
      .reshape({tokens, queries * shape.head_dim});
}

AttentionCounts count_attention(const std::vector<AttentionSegment>& segments,
                                c10::DeviceType type) {
  const std::vector<TreeNode> nodes = nodes_of(segments);
  AttentionCounts counts;
  for (const TreeNode& node : nodes) counts.rows += node.length;
  for (const AttentionSegment& segment : segments) {
    counts.masked_pairs += segment.length * segment.length;
  }
  const auto paths = type == c10::kCPU ? make_path_plan(nodes) : nullptr;
  if (!paths) {
    counts.pairs = visible_pairs(nodes);
    return counts;
  }
  for (const PathGroup& group : paths->groups) {
    counts.pairs += group.paths * group.queries * group.keys;
    counts.path_queries += group.paths * group.queries;
    counts.path_keys += group.paths * group.keys;
  }
  return counts;
}

int64_t packed_attention_saved_bytes(const AttentionCounts& counts, const AttentionShape& shape,
                                     at::ScalarType dtype, c10::DeviceType type) {
  const auto element = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t queries = shape.num_heads * shape.head_dim;
  const int64_t keys = shape.num_kv_heads * shape.head_dim;
  if (type == c10::kCPU) {
    // For each path: queries, keys, values and probabilities.
    return element * (counts.path_queries * queries + 2 * counts.path_keys * keys +
                      counts.pairs * shape.num_heads);
  }
  // The values keep all of qkv alive; the rotated queries and keys; a log-sum-exp in fp32.
  const auto wide = static_cast<int64_t>(c10::elementSize(at::kFloat));
  const int64_t row = element * (queries + 2 * keys + queries + keys) + wide * shape.num_heads;
  if (shape.softcap == 0.0) return counts.rows * row;
  // Capped scores go through plain products, which keep the tangent, the softmax and its rounding.
  return counts.rows * row + counts.masked_pairs * shape.num_heads * (2 * wide + element);
}

}  // namespace xkde
