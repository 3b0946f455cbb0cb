#include "core/nn/path_attention.h"

#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/nn/attention.h"

namespace xkde {
namespace {

constexpr int64_t kHeadDim = 10;

/// A root with long and short branches, one of which ends at once; a chain; a lone row.
const std::vector<AttentionSegment> kSegments = {
    {21, {{4, -1}, {3, 0}, {1, 1}, {2, 1}, {9, 0}, {1, 0}, {1, 0}}}, {6, {}}, {1, {}}};
constexpr int64_t kRows = 28;
/// The same with branches so unlike that padding them costs more than a group of their own.
const std::vector<AttentionSegment> kLongSegments = {
    {281, {{90, -1}, {40, 0}, {1, 1}, {2, 1}, {146, 0}, {1, 0}, {1, 0}}}, {96, {}}, {1, {}}};
constexpr int64_t kLongRows = 378;

struct Tensors {
  at::Tensor out, grad;
};

/// `turning`: the entries of a head that turn.
Tensors with_gradient(const at::Tensor& qkv, const AttentionShape& shape, const AttentionPlan& plan,
                      int64_t turning = kHeadDim) {
  const at::Tensor positions = at::arange(qkv.size(0), at::kLong).remainder(7);
  const at::Tensor frequencies = at::tensor(inverse_frequencies(turning, 10000.0));
  const RotaryTable table = rotary_table(positions, frequencies, qkv.scalar_type());
  const at::Tensor leaf = qkv.clone().requires_grad_(true);
  const at::Tensor out = packed_attention(leaf, shape, table, plan);
  const at::Tensor upper =
      at::cos(at::arange(out.numel(), at::kFloat)).view(out.sizes()).to(out.scalar_type());
  return {out.detach().to(at::kFloat),
          torch::autograd::grad({out}, {leaf}, {upper}).front().to(at::kFloat)};
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(PathAttention, EqualsMaskedAttentionInFp32) {
  for (const int64_t kv_heads : {1, 2, 4}) {
    at::manual_seed(3);
    const AttentionShape shape{4, kv_heads, kHeadDim};
    const at::Tensor qkv = at::randn({kLongRows, (4 + 2 * kv_heads) * kHeadDim});
    const AttentionPlan paths = plan_attention(kLongSegments, shape, at::kFloat, at::kCPU);
    ASSERT_TRUE(paths.paths);
    EXPECT_GT(paths.paths->groups.size(), 1U);  // paths of unlike length

    const Tensors got = with_gradient(qkv, shape, paths);
    const Tensors expected =
        with_gradient(qkv, shape, plan_masked_attention(kLongSegments, at::kCPU));

    EXPECT_LT(distance(got.out, expected.out), 2e-6) << kv_heads;
    EXPECT_LT(distance(got.grad, expected.grad), 5e-6) << kv_heads;
  }
}

/// Windows of 1, 3 and 6 rows cut into nodes, between nodes and into the chain of 6.
TEST(PathAttention, EqualsMaskedAttentionWithWindowsCapsAndPartialRotations) {
  for (const int64_t window : {1, 3, 6, 100}) {
    for (const double cap : {0.0, 1.5}) {
      at::manual_seed(5);
      const AttentionShape shape{.num_heads = 4,
                                 .num_kv_heads = 2,
                                 .head_dim = kHeadDim,
                                 .query_scalar = 3.0,
                                 .softcap = cap};
      const at::Tensor qkv = at::randn({kRows, 8 * kHeadDim});

      const Tensors got = with_gradient(
          qkv, shape, plan_attention(kSegments, shape, at::kFloat, at::kCPU, window), 6);
      const Tensors expected =
          with_gradient(qkv, shape, plan_masked_attention(kSegments, at::kCPU, window), 6);

      EXPECT_LT(distance(got.out, expected.out), 3e-6) << window << ", " << cap;
      EXPECT_LT(distance(got.grad, expected.grad), 1e-5) << window << ", " << cap;
    }
  }
}

/// A chain of 6 rows with a window of 2: each row is attention over itself and the row before.
TEST(PathAttention, AWindowHidesAllButTheNearestRows) {
  at::manual_seed(6);
  const AttentionShape shape{.num_heads = 1, .num_kv_heads = 1, .head_dim = kHeadDim};
  const at::Tensor qkv = at::randn({6, 3 * kHeadDim});
  const RotaryTable table =
      rotary_table(at::arange(6), at::tensor(inverse_frequencies(kHeadDim, 10000.0)), at::kFloat);
  const auto attended = [&](int64_t begin, int64_t rows, int64_t window) {
    const RotaryTable part{table.cos.narrow(0, begin, rows), table.sin.narrow(0, begin, rows)};
    return packed_attention(qkv.narrow(0, begin, rows), shape, part,
                            plan_attention({{rows, {}}}, shape, at::kFloat, at::kCPU, window));
  };

  const at::Tensor got = attended(0, 6, 2);

  for (int64_t row = 1; row < 6; ++row) {
    EXPECT_LT(distance(got[row], attended(row - 1, 2, 0)[1]), 1e-6) << row;
  }
}

TEST(PathAttention, StaysNearFp32InBf16) {
  at::manual_seed(3);
  const AttentionShape shape{4, 2, kHeadDim};
  const at::Tensor qkv = at::randn({kRows, 8 * kHeadDim}).to(at::kBFloat16);
  const Tensors got =
      with_gradient(qkv, shape, plan_attention(kSegments, shape, at::kBFloat16, at::kCPU));
  const Tensors expected =
      with_gradient(qkv.to(at::kFloat), shape, plan_masked_attention(kSegments, at::kCPU));

  // Values around 1 with 8 bits of mantissa, through three rounded products.
  EXPECT_LT(distance(got.out, expected.out), 0.03);
  EXPECT_LT(distance(got.grad, expected.grad), 0.08);
}

TEST(PathAttention, ComputesEachRowOnce) {
  const auto plan = make_path_plan({{4, -1}, {3, 0}, {1, 1}, {2, 1}});
  ASSERT_TRUE(plan);
  int64_t own = 0;
  for (const PathGroup& group : plan->groups) {
    for (const int64_t queries : group.own) own += queries;
  }
  EXPECT_EQ(own, 10);
  EXPECT_EQ(plan->rows, 10);
}

/// Small paths wait for the calls of a group longer than for some padding; large ones do not.
TEST(PathAttention, GroupsPathsByWhatPaddingCosts) {
  const auto groups = [](int64_t length) {
    const auto plan = make_path_plan({{length, -1}, {length / 2, -1}, {length / 4, -1}});
    std::vector<int64_t> paths;
    for (const PathGroup& group : plan->groups) paths.push_back(group.paths);
    return paths;
  };
  EXPECT_EQ(groups(8), (std::vector<int64_t>{3}));
  EXPECT_EQ(groups(80), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(groups(400), (std::vector<int64_t>{1, 1, 1}));
}

TEST(PathAttention, LeavesVeryLongSequencesToOthers) {
  EXPECT_FALSE(make_path_plan({{1025, -1}}));
  const AttentionPlan plan = plan_attention({{1025, {}}}, {2, 1, 8}, at::kFloat, at::kCPU);
  EXPECT_EQ(plan.lengths, std::vector<int64_t>{1025});
}

}  // namespace
}  // namespace xkde
