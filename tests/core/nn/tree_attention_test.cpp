#include "core/nn/tree_attention.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/nn/attention.h"

namespace xkde {
namespace {

/// Appends a random tree in depth-first order, at most `depth` nodes below its root.
void grow(std::vector<TreeNode>& nodes, int64_t parent, int64_t depth, RandomStream& random) {
  const auto own = static_cast<int64_t>(nodes.size());
  nodes.push_back({1 + static_cast<int64_t>(random.below(4)), parent});
  if (depth == 0) return;
  const uint64_t children = random.below(4);
  for (uint64_t i = 0; i < children; ++i) grow(nodes, own, depth - 1, random);
}

/// Two roots, the first a chain of `depth` single tokens that all branch.
std::vector<TreeNode> random_forest(int64_t depth, uint64_t seed) {
  RandomStream random(seed, "forest");
  std::vector<TreeNode> nodes;
  for (int64_t level = 0; level <= depth; ++level) nodes.push_back({1, level - 1});
  for (int64_t level = depth - 1; level >= 0; --level) nodes.push_back({2, level});
  grow(nodes, -1, depth, random);
  return nodes;
}

int64_t rows_of(const std::vector<TreeNode>& nodes) {
  int64_t rows = 0;
  for (const TreeNode& node : nodes) rows += node.length;
  return rows;
}

struct Case {
  int64_t heads, kv_heads;
  at::ScalarType dtype;
  double tolerance;  ///< a few units in the last place of sums of some hundred terms
};

struct Tensors {
  at::Tensor out;
  std::vector<at::Tensor> grads;
};

Tensors with_gradients(const std::vector<at::Tensor>& inputs,
                       const std::function<at::Tensor(const std::vector<at::Tensor>&)>& compute) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.clone().requires_grad_(true));
  const at::Tensor out = compute(leaves);
  const at::Tensor upper = at::cos(at::arange(out.numel(), out.options())).view(out.sizes());
  return {out.detach(), torch::autograd::grad({out}, leaves, {upper})};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item().toDouble();
}

class TreeAttentionCases : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(HeadsAndTypes, TreeAttentionCases,
                         testing::Values(Case{4, 4, at::kDouble, 1e-10},
                                         Case{6, 2, at::kDouble, 1e-10},
                                         Case{6, 2, at::kFloat, 1e-5},
                                         Case{3, 1, at::kFloat, 1e-5}));

TEST_P(TreeAttentionCases, OutputAndGradientsEqualMaskedAttention) {
  const Case c = GetParam();
  constexpr int64_t kHeadDim = 8;
  const double scale = 1.0 / std::sqrt(static_cast<double>(kHeadDim));
  for (int64_t depth = 0; depth <= 5; ++depth) {
    const std::vector<TreeNode> nodes = random_forest(depth, static_cast<uint64_t>(depth));
    const int64_t rows = rows_of(nodes);
    at::manual_seed(static_cast<uint64_t>(depth));
    std::vector<at::Tensor> inputs;
    for (const int64_t heads : {c.heads, c.kv_heads, c.kv_heads}) {
      inputs.push_back(at::randn({rows, heads, kHeadDim}, c.dtype));
    }
    const auto plan = make_tree_plan(nodes, at::kCPU);

    const Tensors got = with_gradients(inputs, [&](const std::vector<at::Tensor>& x) {
      return tree_attention(x[0], x[1], x[2], plan, reference_kernel(), scale);
    });

    const Tensors expected = with_gradients(inputs, [&](const std::vector<at::Tensor>& x) {
      const auto heads_first = [&](const at::Tensor& t) {
        return t.repeat_interleave(c.heads / t.size(1), 1).transpose(0, 1).unsqueeze(0);
      };
      return at::scaled_dot_product_attention(heads_first(x[0]), heads_first(x[1]),
                                              heads_first(x[2]), tree_mask(nodes))
          .squeeze(0)
          .transpose(0, 1);
    });
    SCOPED_TRACE("depth " + std::to_string(depth));
    EXPECT_LT(distance(got.out, expected.out), c.tolerance);
    for (size_t i = 0; i < 3; ++i) {
      EXPECT_LT(distance(got.grads[i], expected.grads[i]), c.tolerance) << "input " << i;
    }
  }
}

TEST(TreeAttention, WorksWithoutAGraph) {
  const auto plan = make_tree_plan({{2, -1}, {1, 0}, {3, 0}}, at::kCPU);
  const at::Tensor x = at::randn({6, 2, 8});

  const at::Tensor out = tree_attention(x, x, x, plan, reference_kernel(), 1.0);

  EXPECT_FALSE(out.requires_grad());
  EXPECT_EQ(out.sizes(), x.sizes());
}

TEST(TreePlan, GathersTheRowsBelowEachNodeByDepth) {
  // 0 1 | 2 (3 | 4) | 5, then a tree of its own: 6
  const auto plan = make_tree_plan({{2, -1}, {1, 0}, {1, 1}, {1, 1}, {1, 0}, {1, -1}}, at::kCPU);

  EXPECT_TRUE(at::equal(plan->own.q_begins, at::tensor({0, 2, 3, 4, 5, 6, 7}, at::kInt)));
  EXPECT_TRUE(at::equal(plan->query_rows, at::tensor({2, 3, 4, 5, 3, 4}, at::kLong)));
  EXPECT_TRUE(at::equal(plan->key_rows, at::tensor({0, 1, 2}, at::kLong)));
  EXPECT_TRUE(at::equal(plan->above.q_begins, at::tensor({0, 4, 6}, at::kInt)));
  EXPECT_TRUE(at::equal(plan->above.k_begins, at::tensor({0, 2, 3}, at::kInt)));
  EXPECT_EQ(plan->levels, (std::vector<int64_t>{0, 4, 6}));
  EXPECT_EQ(plan->above.longest_q, 4);
  EXPECT_EQ(plan->own.longest_k, 2);
}

TEST(TreePlan, RefusesNodesOutOfOrder) {
  const auto message = [](const std::vector<TreeNode>& nodes) -> std::string {
    try {
      make_tree_plan(nodes, at::kCPU);
    } catch (const InternalError& error) {
      return error.what();
    }
    return "no error";
  };
  using testing::HasSubstr;

  EXPECT_THAT(message({{1, -1}, {1, 0}, {1, -1}, {1, 0}}),
              HasSubstr("node 3 of 1 rows below node 0 is not in depth-first order"));
  EXPECT_THAT(message({{1, 0}}), HasSubstr("node 0 of 1 rows below node 0"));
  EXPECT_THAT(message({{0, -1}}), HasSubstr("node 0 of 0 rows"));
}

TEST(PackedAttention, GivesTheSameByMasksAndByNodes) {
  const AttentionShape shape{4, 2, 8};
  const std::vector<AttentionSegment> segments = {{3, {}}, {6, {{2, -1}, {1, 0}, {3, 0}}}, {1, {}}};
  const at::Tensor qkv = at::randn({10, 8 * 8}, at::kDouble);
  const at::Tensor frequencies = at::tensor(inverse_frequencies(8, 1e4));
  const RotaryTable rotary = rotary_table(at::arange(10), frequencies, at::kDouble);

  const at::Tensor by_masks =
      packed_attention(qkv, shape, rotary, plan_attention(segments, shape, at::kDouble, at::kCPU));
  const at::Tensor by_nodes =
      packed_attention(qkv, shape, rotary, plan_attention(segments, reference_kernel(), at::kCPU));

  EXPECT_LT(distance(by_masks, by_nodes), 1e-10);
}

TEST(FlashKernel, TakesWhatTheOpTakes) {
  const at::Device gpu(at::kCUDA, 0);
  EXPECT_TRUE(flash_takes(gpu, at::kBFloat16, 64));
  EXPECT_TRUE(flash_takes(gpu, at::kHalf, 256));
  EXPECT_FALSE(flash_takes(gpu, at::kFloat, 64));
  EXPECT_FALSE(flash_takes(gpu, at::kBFloat16, 60));
  EXPECT_FALSE(flash_takes(gpu, at::kBFloat16, 264));
  EXPECT_FALSE(flash_takes(at::kCPU, at::kBFloat16, 64));
}

TEST(FlashKernel, EqualsTheReferenceOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "needs a GPU, and a build that links LibTorch's CUDA half";
  for (int64_t depth = 0; depth <= 5; ++depth) {
    const std::vector<TreeNode> nodes = random_forest(depth, static_cast<uint64_t>(depth));
    std::vector<at::Tensor> inputs;
    for (const int64_t heads : {6, 2, 2}) {
      inputs.push_back(at::randn({rows_of(nodes), heads, 64}).to(at::kBFloat16));
    }
    const auto run = [&](at::Device device, at::ScalarType dtype, const VarlenKernel& kernel) {
      std::vector<at::Tensor> moved;
      for (const at::Tensor& x : inputs) moved.push_back(x.to(device, dtype));
      Tensors result = with_gradients(moved, [&](const std::vector<at::Tensor>& x) {
        return tree_attention(x[0], x[1], x[2], make_tree_plan(nodes, device), kernel, 0.125);
      });
      result.out = result.out.to(at::kCPU, at::kFloat);
      for (at::Tensor& grad : result.grads) grad = grad.to(at::kCPU, at::kFloat);
      return result;
    };

    const Tensors got = run({at::kCUDA, 0}, at::kBFloat16, flash_kernel());

    const Tensors expected = run(at::kCPU, at::kFloat, reference_kernel());
    SCOPED_TRACE("depth " + std::to_string(depth));
    // bf16 has 8 bits of mantissa; values are below 4, gradients below 16.
    EXPECT_LT(distance(got.out, expected.out), 0.04);
    for (size_t i = 0; i < 3; ++i) EXPECT_LT(distance(got.grads[i], expected.grads[i]), 0.15);
  }
}

}  // namespace
}  // namespace xkde
