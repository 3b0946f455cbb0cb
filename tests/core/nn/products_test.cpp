#include "core/nn/products.h"

#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {
namespace {

/// Products as on a CPU without bf16 instructions.
class WidenedProducts : public testing::Test {
 protected:
  void SetUp() override { set_widens_products(true); }
  void TearDown() override { set_widens_products(widened_here_); }

 private:
  const bool widened_here_ = widens_products();
};

at::Tensor bf16(at::IntArrayRef sizes) { return at::randn(sizes).to(at::kBFloat16); }

/// The bf16 nearest to the product in fp64, but for sums that lie between two.
void expect_rounded(const at::Tensor& value, const at::Tensor& exact) {
  EXPECT_EQ(value.scalar_type(), at::kBFloat16);
  const at::Tensor error = (value.to(at::kDouble) - exact).abs();
  // Half a unit in the last of 8 digits, and what fp32 sums are off.
  EXPECT_TRUE((error <= exact.abs() * 0x1.02p-8 + 1e-4).all().item<bool>())
      << error.max().item<double>();
}

TEST_F(WidenedProducts, AreRoundedOnceWhicheverSideIsCut) {
  at::manual_seed(1);
  using Sizes = std::tuple<int64_t, int64_t, int64_t>;  // M, K, N
  for (const auto& [m, k, n] : std::vector<Sizes>{{3, 5, 7},
                                                  {1, 64, 3000},
                                                  {2500, 16, 9},
                                                  {33, 4000, 12},
                                                  {1024, 1024, 1024},
                                                  {0, 4, 2}}) {
    const at::Tensor a = bf16({m, k});
    const at::Tensor b = bf16({n, k}).t();
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    if (m > 0) expect_rounded(product(a, b), exact);
    EXPECT_EQ(product(a, b).sizes(), exact.sizes());
    if (m == 0) continue;
    const at::Tensor start = bf16({m, n + 2});
    const at::Tensor sum = start.clone();
    add_product(sum.narrow(1, 1, n), a, b, 0.5);
    expect_rounded(sum.narrow(1, 1, n), start.narrow(1, 1, n).to(at::kDouble) + exact * 0.5);
    EXPECT_TRUE(at::equal(sum.select(1, 0), start.select(1, 0)));
    EXPECT_TRUE(at::equal(sum.select(1, n + 1), start.select(1, n + 1)));
  }
}

TEST_F(WidenedProducts, OfBatchesAreThoseOfTheirParts) {
  at::manual_seed(2);
  const at::Tensor a = bf16({5, 300, 900});  // a batch of five is more than is widened at once
  const at::Tensor b = bf16({5, 20, 900}).transpose(1, 2);
  const at::Tensor all = product(a, b);
  for (int64_t i = 0; i < 5; ++i) {
    expect_rounded(all[i], at::mm(a[i].to(at::kDouble), b[i].to(at::kDouble)));
  }
}

TEST_F(WidenedProducts, OfLayersHaveTheGradientsOfLibTorch) {
  at::manual_seed(3);
  const at::Tensor x = bf16({40, 24});
  const at::Tensor weight = bf16({1500, 24});
  const at::Tensor bias = bf16({1500});
  const at::Tensor upper = bf16({40, 1500});
  const auto gradients = [&](bool widens, at::ScalarType dtype) {
    set_widens_products(widens);
    std::vector<at::Tensor> leaves;
    for (const at::Tensor& leaf : {x, weight, bias}) {
      leaves.push_back(leaf.to(dtype, /*non_blocking=*/false, /*copy=*/true).requires_grad_());
    }
    const at::Tensor out = plain_product(leaves[0], leaves[1], leaves[2]);
    out.backward(upper.to(dtype));
    return std::vector<at::Tensor>{out.detach(), leaves[0].grad(), leaves[1].grad(),
                                   leaves[2].grad()};
  };
  const std::vector<at::Tensor> exact = gradients(false, at::kDouble);
  const std::vector<at::Tensor> values = gradients(true, at::kBFloat16);
  for (size_t i = 0; i < exact.size(); ++i) {
    const double scale = exact[i].abs().max().item<double>();
    const at::Tensor error = (values[i].to(at::kDouble) - exact[i]).abs();
    EXPECT_LT(error.max().item<double>(), scale * 0x1p-7) << i;
  }
}

TEST_F(WidenedProducts, OfLayersNeedNeitherABiasNorAWeightThatIsTrained) {
  at::manual_seed(6);
  const at::Tensor x = bf16({4, 6}).requires_grad_();
  const at::Tensor weight = bf16({8, 6});
  const at::Tensor out = plain_product(x, weight);
  out.backward(at::ones_like(out));
  expect_rounded(x.grad(), weight.to(at::kDouble).sum(0).expand({4, 6}));
  const c10::AutoGradMode without_graph(false);
  EXPECT_FALSE(plain_product(x, weight).requires_grad());
}

TEST_F(WidenedProducts, OfLayersAreRoundedOnceWithTheirBias) {
  at::manual_seed(7);
  const at::Tensor x = bf16({1, 24});
  const at::Tensor weight = bf16({50, 24});
  const at::Tensor exact = at::mm(x.to(at::kDouble), weight.to(at::kDouble).t());
  const at::Tensor bias = (-exact[0]).to(at::kBFloat16);  // what is left shows an earlier rounding
  const at::Tensor before = bias.clone();
  expect_rounded(plain_product(x, weight, bias), exact + bias.to(at::kDouble));
  EXPECT_TRUE(at::equal(bias, before));
}

TEST_F(WidenedProducts, OfOtherDtypesAreLibTorchsOwn) {
  at::manual_seed(4);
  const at::Tensor a = at::randn({30, 40});
  const at::Tensor b = at::randn({40, 50});
  EXPECT_TRUE(at::equal(product(a, b), at::mm(a, b)));
  EXPECT_TRUE(at::equal(plain_product(a, b.t()), at::linear(a, b.t())));
  EXPECT_TRUE(widened(a).is_same(a));
}

TEST_F(WidenedProducts, OfAttentionHaveGradientsAndTheDtypeOfValues) {
  at::manual_seed(5);
  const at::Tensor weights = at::softmax(at::randn({2, 3, 4, 6}), -1).requires_grad_();
  const at::Tensor values = bf16({2, 3, 6, 8}).requires_grad_();
  const at::Tensor out = weighted_values(weights, values);
  expect_rounded(out.detach(), at::matmul(weights.detach().to(at::kBFloat16).to(at::kDouble),
                                          values.detach().to(at::kDouble)));
  out.sum().backward();
  EXPECT_EQ(values.grad().scalar_type(), at::kBFloat16);
  EXPECT_TRUE(weights.grad().defined());
}

/// fp32 products of few rows, with their own kernels and without.
class NarrowProducts : public testing::Test {
 protected:
  void SetUp() override { set_narrow_kernels(true); }
  void TearDown() override { set_narrow_kernels(std::nullopt); }

  static void expect_near(const at::Tensor& found, const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor exact = at::mm(a.to(at::kDouble), b.to(at::kDouble));
    ASSERT_EQ(found.sizes(), exact.sizes());
    // Of sums of k products the error grows with their size and with log k.
    const at::Tensor size = at::mm(a.abs().to(at::kDouble), b.abs().to(at::kDouble));
    EXPECT_TRUE(((found - exact).abs() <= size * 1e-6).all().item<bool>())
        << a.sizes() << " " << b.sizes();
  }
};

TEST_F(NarrowProducts, AreThoseOfFp64OfAnyShape) {
  at::manual_seed(4);
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 13, 31, 32, 33}) {
    for (const auto& [outer, inner] : std::vector<std::pair<int64_t, int64_t>>{
             {64, 512}, {213, 577}, {1031, 35}, {130, 1000}, {35, 3000}, {4097, 8}}) {
      const at::Tensor x = at::randn({rows, inner}), weight = at::randn({outer, inner});
      const at::Tensor grad = at::randn({rows, outer}), bias = at::randn({outer});
      expect_near(plain_product(x, weight), x, weight.t());
      expect_near(plain_product(x, weight, bias) - bias, x, weight.t());
      const c10::AutoGradMode without_graph(false);
      expect_near(product(x, weight.t()), x, weight.t());
      expect_near(product(grad, weight), grad, weight);
    }
  }
}

TEST_F(NarrowProducts, HaveTheGradientsOfOthers) {
  at::manual_seed(5);
  const at::Tensor x = at::randn({9, 260}), weight = at::randn({300, 260}), bias = at::randn({300});
  const at::Tensor out_grad = at::randn({9, 300});
  std::vector<std::vector<at::Tensor>> found;
  for (const bool narrow : {true, false}) {
    set_narrow_kernels(narrow);
    const std::vector<at::Tensor> leaves{x.clone().requires_grad_(true),
                                         weight.clone().requires_grad_(true),
                                         bias.clone().requires_grad_(true)};
    const c10::AutoGradMode with_graph(true);
    const at::Tensor out = plain_product(leaves[0], leaves[1], leaves[2]);
    found.push_back(torch::autograd::grad({out}, leaves, {out_grad}));
    found.back().push_back(out.detach());
  }
  for (size_t i = 0; i < found[0].size(); ++i)
    EXPECT_TRUE(at::allclose(found[0][i], found[1][i], 1e-4, 1e-4)) << i;
}

/// A row's sums do not depend on the threads that share the work.
TEST_F(NarrowProducts, AreTheSameOnAnyNumberOfThreads) {
  at::manual_seed(6);
  const at::Tensor x = at::randn({7, 576}), weight = at::randn({1000, 576});
  const at::Tensor grad = at::randn({7, 1000});
  const int threads = at::get_num_threads();
  const c10::AutoGradMode without_graph(false);
  at::set_num_threads(1);
  const at::Tensor forward = plain_product(x, weight), back = product(grad, weight);
  at::set_num_threads(3);
  EXPECT_TRUE(at::equal(plain_product(x, weight), forward));
  EXPECT_TRUE(at::equal(product(grad, weight), back));
  at::set_num_threads(threads);
}

}  // namespace
}  // namespace xkde
