#ifndef XKDE_CORE_NN_ATTENTION_H_
#define XKDE_CORE_NN_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/attention_shape.h"
#include "core/nn/path_attention.h"
#include "core/nn/rope.h"
#include "core/nn/tree_attention.h"

namespace xkde {

/// A run of consecutive rows that attend only among themselves: one sequence, or one token tree.
struct AttentionSegment {
  int64_t length = 0;
  std::vector<TreeNode> nodes;  ///< of a tree, `length` rows in all; empty: plain causal
};

/// The nodes of all segments; a plain one is a node.
std::vector<TreeNode> nodes_of(const std::vector<AttentionSegment>& segments);

/// What the layers of one kind need to know of a batch's segments, made once for a batch. On a GPU,
/// where flash_takes() them, trees are two kernel calls; on a CPU, unless sequences are very long,
/// a batch of paths. Else each segment is a call of its own, a tree's with a mask. So is one on a
/// GPU that is longer than the layers' window, or whose scores are capped.
struct AttentionPlan {
  std::shared_ptr<const TreePlan> tree;  ///< defined: all segments by `kernel`
  const VarlenKernel* kernel = nullptr;
  std::shared_ptr<const PathPlan> paths;  ///< else, defined: all segments by paths
  std::vector<int64_t> lengths;           ///< else: rows of each segment
  std::vector<at::Tensor> masks;          ///< and bool [length, length]; undefined: plain causal
};
/// `window`: the nearest keys that a row sees, itself included; 0: all of its sequence.
AttentionPlan plan_attention(const std::vector<AttentionSegment>& segments,
                             const AttentionShape& shape, at::ScalarType dtype, at::Device device,
                             int64_t window = 0);
/// The plan that masks each segment, for any device and dtype.
AttentionPlan plan_masked_attention(const std::vector<AttentionSegment>& segments,
                                    at::Device device, int64_t window = 0);
/// The plan that gives all segments to `kernel`.
AttentionPlan plan_attention(const std::vector<AttentionSegment>& segments,
                             const VarlenKernel& kernel, at::Device device);

/// Grouped-query self-attention of packed rows. qkv [T, (H + 2K) E] holds queries, keys and values
/// side by side; the plan's segments have T rows. Returns [T, H E]. Source: arXiv:2305.13245.
at::Tensor packed_attention(const at::Tensor& qkv, const AttentionShape& shape,
                            const RotaryTable& rotary, const AttentionPlan& plan);

/// What a batch's segments make attention compute on a device of some type.
struct AttentionCounts {
  int64_t rows = 0;
  int64_t pairs = 0;         ///< of a query and a key whose score is computed
  int64_t masked_pairs = 0;  ///< those where each segment is a call of its own with a mask
  /// On a CPU, where the paths of the segments are computed one by one: slots of all their queries
  /// and keys, padding included. 0 where no paths are.
  int64_t path_queries = 0;
  int64_t path_keys = 0;
};
/// Needs no such device.
AttentionCounts count_attention(const std::vector<AttentionSegment>& segments,
                                c10::DeviceType type);
/// Bytes that the backward pass of packed_attention() needs beside its output [T, H E].
int64_t packed_attention_saved_bytes(const AttentionCounts& counts, const AttentionShape& shape,
                                     at::ScalarType dtype, c10::DeviceType type);

}  // namespace xkde

#endif  // XKDE_CORE_NN_ATTENTION_H_
