#ifndef XKDE_CORE_NN_TREE_ATTENTION_H_
#define XKDE_CORE_NN_TREE_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/kernels/varlen_kernel.h"

namespace xkde {

/// Consecutive rows of a token tree that have no branch between them. Nodes stand in depth-first
/// order, so that the rows below a node follow its own without a gap.
struct TreeNode {
  int64_t length = 0;   ///< rows, at least 1
  int64_t parent = -1;  ///< index of an earlier node; -1: a root
};

/// Pairs of a row and one that it sees: its ancestors and itself.
int64_t visible_pairs(const std::vector<TreeNode>& nodes);

/// bool [T, T], true where row i sees row j: its ancestors and itself. `window`, where not 0: only
/// so many of them, the nearest.
at::Tensor tree_mask(const std::vector<TreeNode>& nodes, int64_t window = 0);

/// Rows of the longest way from a root to a leaf.
int64_t longest_path(const std::vector<TreeNode>& nodes);

/// Attention over trees as two variable-length calls: each node is a causal sequence, and the rows
/// below a node see all of the node's keys. The parts are joined by their log-sum-exps.
struct TreePlan {
  VarlenCall own;    ///< all rows, in place
  VarlenCall above;  ///< of the rows gathered by the lists below
  /// Rows below a node, node after node by depth: a row comes once for each of its ancestors.
  at::Tensor query_rows;  ///< int64 [M]
  at::Tensor key_rows;    ///< int64 [K]: rows of the nodes that have any below them, each once
  std::vector<int64_t> levels;  ///< bounds of each depth in query_rows, from 0 to M
};

/// The plan for all nodes of a pack, whose roots may be many. Throws InternalError where the nodes
/// are not in depth-first order.
std::shared_ptr<const TreePlan> make_tree_plan(const std::vector<TreeNode>& nodes,
                                               at::Device device);

/// q [T, H, E]; k, v [T, K, E] -> [T, H, E], with gradients of all three. Parts are joined in fp32
/// (fp64 for fp64); no [T, T] tensor exists. `kernel` outlives the graph. Source of the join:
/// arXiv:2310.01889.
at::Tensor tree_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                          std::shared_ptr<const TreePlan> plan, const VarlenKernel& kernel,
                          double scale);

}  // namespace xkde

#endif  // XKDE_CORE_NN_TREE_ATTENTION_H_
