#include "core/model/lora_linear.h"

#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {
namespace {

at::Tensor random(at::IntArrayRef shape, bool trained = false) {
  const at::Tensor values = at::randn(shape, at::TensorOptions().dtype(at::kDouble)).to(at::kFloat);
  return values.requires_grad_(trained);
}

/// A weight [12, 7] with adapters of rows 0 to 4 and 7 to 11, of rank 3.
struct Case {
  at::Tensor x = random({5, 7}, true), weight = random({12, 7}), bias = random({12});
  LoraWeights lora{.a = random({6, 7}, true),
                   .b = {random({5, 3}, true), random({5, 3}, true)},
                   .rows = {{0, 5}, {7, 5}},
                   .scale = 0.7};

  /// The same by LibTorch's own operations.
  at::Tensor plain(const std::optional<at::Tensor>& factors = std::nullopt) const {
    const at::Tensor kept = factors ? x * *factors : x;
    const at::Tensor low = at::linear(kept, lora.a);
    const at::Tensor first = at::linear(low.narrow(1, 0, 3), lora.b[0]) * lora.scale;
    const at::Tensor second = at::linear(low.narrow(1, 3, 3), lora.b[1]) * lora.scale;
    const at::Tensor none = at::zeros({5, 2});
    return at::linear(x, weight, bias) + at::cat({first, none, second}, 1);
  }
  std::vector<at::Tensor> inputs() const { return {x, lora.a, lora.b[0], lora.b[1]}; }
};

void expect_near(const at::Tensor& got, const at::Tensor& expected, float tolerance = 1e-5F) {
  ASSERT_EQ(got.sizes(), expected.sizes());
  EXPECT_LT((got - expected).abs().max().item<float>(), tolerance);
}

void expect_gradients_equal(const Case& given, const at::Tensor& got, const at::Tensor& expected) {
  const at::Tensor grad = random({5, 12});
  const auto of_got = torch::autograd::grad({got}, given.inputs(), {grad});
  const auto of_expected = torch::autograd::grad({expected}, given.inputs(), {grad});
  for (size_t i = 0; i < of_got.size(); ++i) expect_near(of_got[i], of_expected[i]);
}

TEST(LoraLinear, AddsItsAdaptersToTheirRows) {
  at::manual_seed(1);
  const Case given;

  const at::Tensor got = lora_linear(given.x, given.weight, given.bias, given.lora);

  expect_near(got, given.plain());
  expect_near(lora_linear(given.x, given.weight, {}, given.lora), given.plain() - given.bias);
}

TEST(LoraLinear, GivesTheGradientsOfAutograd) {
  at::manual_seed(2);
  const Case given;
  const c10::AutoGradMode with_graph(true);

  expect_gradients_equal(given, lora_linear(given.x, given.weight, given.bias, given.lora),
                         given.plain());
}

TEST(LoraLinear, DropsInputsOfItsAdaptersAlone) {
  at::manual_seed(3);
  Case given;
  given.lora.dropout = {.rate = 0.4, .seeds = at::arange(5), .key = 9};
  const c10::AutoGradMode with_graph(true);
  const at::Tensor factors = lora_dropout_factors(given.lora.dropout, 7, given.weight.options());

  const at::Tensor got = lora_linear(given.x, given.weight, given.bias, given.lora);

  expect_near(got, given.plain(factors));
  expect_gradients_equal(given, got, given.plain(factors));
}

TEST(LoraLinear, MakesNoGradientForAnInputThatNeedsNone) {
  at::manual_seed(4);
  const Case given;
  const c10::AutoGradMode with_graph(true);
  const at::Tensor got = lora_linear(given.x.detach(), given.weight, given.bias, given.lora);

  const auto grads = torch::autograd::grad({got}, {given.lora.a}, {at::ones({5, 12})});

  expect_near(grads[0],
              torch::autograd::grad({given.plain()}, {given.lora.a}, {at::ones({5, 12})})[0]);
}

TEST(LoraLinear, MergedWeightsComputeTheSame) {
  at::manual_seed(5);
  const c10::AutoGradMode without_graph(false);
  const Case given;

  const at::Tensor merged = lora_merged(given.weight, given.lora);

  expect_near(at::linear(given.x, merged, given.bias), given.plain());
}

TEST(LoraDropout, LeavesOutItsShareAndKeepsTheMean) {
  const LoraDropout dropout{.rate = 0.25, .seeds = at::arange(400), .key = 3};

  const at::Tensor factors =
      lora_dropout_factors(dropout, 250, at::TensorOptions().dtype(at::kFloat));

  // 100,000 draws: the share has a standard deviation of 0.0014, the mean one of 0.0018.
  EXPECT_NEAR(factors.eq(0).to(at::kDouble).mean().item<double>(), 0.25, 0.01);
  EXPECT_NEAR(factors.mean().item<double>(), 1.0, 0.01);
  EXPECT_EQ(factors.max().item<float>(), 1.0F / 0.75F);
}

TEST(LoraDropout, DependsOnTheSeedOfTheRowAndTheLayerAlone) {
  const auto draw = [](const at::Tensor& seeds, uint64_t key) {
    return lora_dropout_factors({.rate = 0.5, .seeds = seeds, .key = key}, 64,
                                at::TensorOptions().dtype(at::kFloat));
  };
  const at::Tensor rows = draw(at::tensor({5, 6, 7}, at::kLong), 1);

  EXPECT_TRUE(rows.narrow(0, 1, 2).equal(draw(at::tensor({6, 7}, at::kLong), 1)));
  EXPECT_FALSE(rows[0].equal(rows[1]));
  EXPECT_FALSE(rows.equal(draw(at::tensor({5, 6, 7}, at::kLong), 2)));
}

}  // namespace
}  // namespace xkde
