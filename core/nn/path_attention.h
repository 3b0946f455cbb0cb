#ifndef XKDE_CORE_NN_PATH_ATTENTION_H_
#define XKDE_CORE_NN_PATH_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/attention_shape.h"
#include "core/nn/rope.h"
#include "core/nn/tree_attention.h"

namespace xkde {

/// Attention over token trees on a CPU, path by path: each way from a root to a leaf is a sequence
/// of its own, whose keys are gathered, and whose queries are only the rows that no earlier path
/// had. So no pair of rows that do not see each other is computed, and the products are large and
/// dense. Paths of like length form a group, padded on the left.
struct PathGroup {
  int64_t paths = 0;
  int64_t queries = 0;           ///< slots of a path: its last ones
  int64_t keys = 0;              ///< slots of a path
  std::vector<int64_t> rows;     ///< [paths * keys]: row of each slot, -1 in the padding
  std::vector<int64_t> lengths;  ///< of each path
  std::vector<int64_t> own;      ///< queries of each path, its last ones
};
struct PathPlan {
  std::vector<PathGroup> groups;
  int64_t rows = 0;    ///< of the pack
  int64_t window = 0;  ///< keys that a row sees, itself included; 0: all of its path
};

/// Nothing where a path is so long that its matrix of probabilities should not be kept.
std::shared_ptr<const PathPlan> make_path_plan(const std::vector<TreeNode>& nodes,
                                               int64_t window = 0);

/// qkv [T, (H + 2K) E], fp32 or bf16 in host memory, before the rotation -> [T, H E]. `plan` and
/// the table (of qkv's dtype) live on with the graph.
at::Tensor path_attention(const at::Tensor& qkv, const AttentionShape& shape,
                          const RotaryTable& rotary, std::shared_ptr<const PathPlan> plan);

}  // namespace xkde

#endif  // XKDE_CORE_NN_PATH_ATTENTION_H_
