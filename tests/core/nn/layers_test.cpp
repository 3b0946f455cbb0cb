#include "core/nn/layers.h"

#include <functional>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {
namespace {

constexpr double kEps = 1e-5;

/// Output and gradients of all inputs, in fp32.
std::vector<at::Tensor> with_gradients(
    const std::vector<at::Tensor>& inputs,
    const std::function<at::Tensor(const std::vector<at::Tensor>&)>& compute) {
  std::vector<at::Tensor> leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.clone().requires_grad_(true));
  const at::Tensor out = compute(leaves);
  const at::Tensor upper =
      at::cos(at::arange(out.numel(), at::kFloat)).view(out.sizes()).to(out.scalar_type());
  std::vector<at::Tensor> results = torch::autograd::grad({out}, leaves, {upper});
  results.push_back(out.detach());
  for (at::Tensor& result : results) result = result.to(at::kFloat);
  return results;
}

void expect_near(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected,
                 double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    const double scale = std::max(1.0, expected[i].abs().max().item<double>());
    EXPECT_LT((got[i] - expected[i]).abs().max().item<double>(), tolerance * scale) << i;
  }
}

at::Tensor plain_rms_norm(const std::vector<at::Tensor>& in) {
  const at::Tensor mean = in[0].square().mean({-1}, true);
  return in[1] * (in[0] * (mean + kEps).rsqrt());
}

at::Tensor plain_swiglu(const std::vector<at::Tensor>& in) {
  const auto halves = in[0].chunk(2, -1);
  return halves[0] * at::sigmoid(halves[0]) * halves[1];
}

at::Tensor plain_rms_norm_plus_one(const std::vector<at::Tensor>& in) {
  return plain_rms_norm({in[0], in[1] + 1.0});
}

at::Tensor plain_geglu(const std::vector<at::Tensor>& in) {
  const auto halves = in[0].chunk(2, -1);
  return at::gelu(halves[0], "tanh") * halves[1];
}

// 300 rows: several blocks of the weight's partial sums; 37 columns: no whole number of lanes.
class FusedLayers : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, FusedLayers, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(FusedLayers, RmsNormAndItsGradientsEqualPlainArithmetic) {
  at::manual_seed(1);
  const at::Tensor x = (at::randn({300, 37}) * 3).to(GetParam());
  const at::Tensor weight = (at::randn({37}) * 0.2 + 1).to(GetParam());
  const auto got =
      with_gradients({x, weight}, [](const auto& in) { return rms_norm(in[0], in[1], kEps); });
  const auto expected = with_gradients({x.to(at::kDouble), weight.to(at::kDouble)}, plain_rms_norm);
  expect_near(got, expected, GetParam() == at::kFloat ? 2e-6 : 1e-2);
}

TEST_P(FusedLayers, SwigluAndItsGradientEqualPlainArithmetic) {
  at::manual_seed(2);
  at::Tensor gate_up = (at::randn({70, 2 * 37}) * 4).to(GetParam());
  gate_up[0][0] = 120.0;  // far out: sigmoid is 1, and 0
  gate_up[0][1] = -120.0;
  const auto got = with_gradients({gate_up}, [](const auto& in) { return swiglu(in[0]); });
  const auto expected = with_gradients({gate_up.to(at::kDouble)}, plain_swiglu);
  expect_near(got, expected, GetParam() == at::kFloat ? 2e-6 : 1e-2);
}

TEST_P(FusedLayers, RmsNormPlusOneAndItsGradientsEqualPlainArithmetic) {
  at::manual_seed(3);
  const at::Tensor x = (at::randn({300, 37}) * 3).to(GetParam());
  const at::Tensor weight = (at::randn({37}) * 0.2).to(GetParam());
  const auto got = with_gradients(
      {x, weight}, [](const auto& in) { return rms_norm_plus_one(in[0], in[1], kEps); });
  const auto expected =
      with_gradients({x.to(at::kDouble), weight.to(at::kDouble)}, plain_rms_norm_plus_one);
  expect_near(got, expected, GetParam() == at::kFloat ? 2e-6 : 1e-2);
}

TEST(RmsNormPlusOne, RoundsOnceInBf16) {
  at::manual_seed(4);
  const at::Tensor x = at::randn({8, 32}).to(at::kBFloat16);
  const at::Tensor weight = (at::randn({32}) * 0.2).to(at::kBFloat16);
  const at::Tensor wide = rms_norm_plus_one(x.to(at::kFloat), weight.to(at::kFloat), kEps);

  EXPECT_TRUE(at::equal(rms_norm_plus_one(x, weight, kEps), wide.to(at::kBFloat16)));
}

TEST_P(FusedLayers, GegluAndItsGradientEqualPlainArithmetic) {
  at::manual_seed(2);
  at::Tensor gate_up = (at::randn({70, 2 * 37}) * 4).to(GetParam());
  gate_up[0][0] = 120.0;
  gate_up[0][1] = -120.0;
  const auto got = with_gradients({gate_up}, [](const auto& in) { return geglu(in[0]); });
  const auto expected = with_gradients({gate_up.to(at::kDouble)}, plain_geglu);
  expect_near(got, expected, GetParam() == at::kFloat ? 3e-6 : 1e-2);
}

TEST_P(FusedLayers, NotANumberStays) {
  at::Tensor x = at::ones({2, 8}, GetParam());
  x[1][3] = std::numeric_limits<float>::quiet_NaN();
  const at::Tensor out = rms_norm(x, at::ones({8}, GetParam()), kEps);
  EXPECT_FALSE(out[0].isnan().any().item<bool>());
  EXPECT_TRUE(out[1].isnan().all().item<bool>());
}

}  // namespace
}  // namespace xkde
