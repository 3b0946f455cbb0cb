#include "core/loss/token_loss.h"

#include <limits>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {
namespace {

class LinearCrossEntropy : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, LinearCrossEntropy, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(LinearCrossEntropy, LossAndGradientsEqualAutogradForAnyChunk) {
  at::manual_seed(4);
  const at::Tensor hidden = at::randn({19, 12}).to(GetParam());
  const at::Tensor matrix = at::randn({31, 12}).to(GetParam());
  const at::Tensor targets = at::randint(31, {19}, at::kLong);
  const at::Tensor weights = at::rand({19});
  const at::Tensor h = hidden.to(at::kDouble).requires_grad_(true);
  const at::Tensor m = matrix.to(at::kDouble).requires_grad_(true);
  const at::Tensor rows = at::log_softmax(at::matmul(h, m.t()), 1).gather(1, targets.unsqueeze(1));
  const at::Tensor loss = -(rows.squeeze(1) * weights).sum();
  const auto grads = torch::autograd::grad({loss}, {h, m});
  const double tolerance = GetParam() == at::kFloat ? 1e-5 : 4e-2;

  for (const int64_t chunk : {0, 1, 7, 19}) {
    at::Tensor matrix_grad = at::ones({31, 12});
    const TokenLoss got =
        linear_cross_entropy(hidden, matrix, targets, weights, matrix_grad, chunk);

    EXPECT_NEAR(got.loss.item<double>(), loss.item<double>(), 20 * tolerance) << chunk;
    EXPECT_LT((got.hidden_grad - grads[0]).abs().max().item<double>(), tolerance) << chunk;
    EXPECT_LT((matrix_grad - 1 - grads[1]).abs().max().item<double>(), tolerance) << chunk;
  }
}

/// Logits of about 5 under a cap of 4: bent, not flat.
TEST_P(LinearCrossEntropy, CappedLogitsGiveTheLossAndGradientsOfAutograd) {
  constexpr double kCap = 4.0;
  at::manual_seed(4);
  const at::Tensor hidden = at::randn({19, 12}).to(GetParam());
  const at::Tensor matrix = at::randn({31, 12}).to(GetParam());
  const at::Tensor targets = at::randint(31, {19}, at::kLong);
  const at::Tensor weights = at::rand({19});
  const at::Tensor h = hidden.to(at::kDouble).requires_grad_(true);
  const at::Tensor m = matrix.to(at::kDouble).requires_grad_(true);
  const at::Tensor logits = (at::matmul(h, m.t()) / kCap).tanh() * kCap;
  const at::Tensor rows = at::log_softmax(logits, 1).gather(1, targets.unsqueeze(1)).squeeze(1);
  const auto grads = torch::autograd::grad({-(rows * weights).sum()}, {h, m});
  const double tolerance = GetParam() == at::kFloat ? 1e-5 : 4e-2;

  at::Tensor matrix_grad = at::zeros({31, 12});
  const TokenLoss got =
      linear_cross_entropy(hidden, {matrix, kCap}, targets, weights, matrix_grad, 7);
  const at::Tensor log_probs = linear_log_probs(hidden, {matrix, kCap}, targets, 7);

  EXPECT_NEAR(got.loss.item<double>(), -(rows * weights).sum().item<double>(), 20 * tolerance);
  EXPECT_LT((got.hidden_grad - grads[0]).abs().max().item<double>(), tolerance);
  EXPECT_LT((matrix_grad - grads[1]).abs().max().item<double>(), tolerance);
  EXPECT_LT((log_probs - rows.detach()).abs().max().item<double>(), 10 * tolerance);
}

TEST(LinearLogProbs, TakesSeveralTargetsOfOneRow) {
  const at::Tensor hidden = at::randn({9, 4}), matrix = at::randn({13, 4});
  const at::Tensor targets = at::randint(13, {9, 2}, at::kLong);

  const at::Tensor both = linear_log_probs(hidden, {matrix, 0}, targets, 4);

  EXPECT_EQ(both.sizes(), at::IntArrayRef({9, 2}));
  for (const int64_t word : {0, 1})
    EXPECT_TRUE(both.select(1, word).equal(
        linear_log_probs(hidden, {matrix, 0}, targets.select(1, word), 4)));
}

TEST(LinearArgmax, TakesTheLowestOfEqualLogits) {
  const at::Tensor matrix = at::tensor({0.0F, 1.0F, 1.0F}).unsqueeze(1);
  EXPECT_EQ(linear_argmax(at::ones({1, 1}), matrix)[0].item<int64_t>(), 1);
  EXPECT_EQ(linear_argmax(at::empty({0, 1}), matrix).numel(), 0);
}

TEST(LinearArgmax, TellsRowsWhoseLogitsAreNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const float bad : {kNan, kInfinity}) {
      const at::Tensor matrix = at::ones({300, 1}).to(type);
      matrix[200][0] = bad;
      const at::Tensor hidden = at::tensor({1.0F, 2.0F}).unsqueeze(1).to(type);

      const at::Tensor ids = linear_argmax(hidden, matrix, 1);

      EXPECT_EQ(ids[0].item<int64_t>(), kUnsoundRow);
      EXPECT_EQ(ids[1].item<int64_t>(), kUnsoundRow);
    }
    const at::Tensor one = at::tensor({1.0F, kNan}).unsqueeze(1).to(type);

    const at::Tensor ids = linear_argmax(one, at::ones({300, 1}).to(type));

    EXPECT_EQ(ids[0].item<int64_t>(), 0);
    EXPECT_EQ(ids[1].item<int64_t>(), kUnsoundRow);
  }
}

}  // namespace
}  // namespace xkde
