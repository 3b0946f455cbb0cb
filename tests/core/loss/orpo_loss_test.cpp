#include "core/loss/orpo_loss.h"

#include <cmath>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

namespace xkde {
namespace {

/// One pair whose answers have one label each, and no NLL term.
OrpoTerms one_pair() {
  const auto fp64 = at::TensorOptions().dtype(at::kDouble);
  return {.label_answer = at::tensor({0, 1}, at::kLong),
          .nll_weights = at::zeros({2}, fp64),
          .answer_lengths = at::ones({2}, fp64),
          .chosen = at::tensor({0}, at::kLong),
          .rejected = at::tensor({1}, at::kLong),
          .pair_weights = at::ones({1}, fp64)};
}

TEST(OrpoLoss, EqualsTheTestVectorsOfTheProtocol) {
  struct Case {
    float chosen, rejected;
    double log_odds, ratio, term;
  };
  const Case cases[] = {{-0.5F, -1.2F, 1.2743697117, -0.2465531135, 0.0246553113},
                        {-1.2F, -0.5F, -1.2743697117, -1.5209228252, 0.1520922825},
                        {-0.05F, -3.0F, 5.9195589281, -0.0026827829, 0.0002682783}};
  for (const Case& one : cases) {
    const at::Tensor log_probs = at::tensor({one.chosen, one.rejected}, at::kFloat);

    const OrpoLoss loss = orpo_loss(log_probs, one_pair(), {});

    EXPECT_NEAR(loss.loss.item<double>(), one.term, 1e-6);
    EXPECT_NEAR(loss.sums[kOrpoLogOdds].item<double>(), one.log_odds, 1e-6);
    EXPECT_NEAR(loss.sums[kOrpoRatio].item<double>(), one.ratio, 1e-6);
    EXPECT_EQ(loss.sums[kOrpoAccuracy].item<double>(), one.chosen > one.rejected ? 1.0 : 0.0);
  }
}

/// The loss of the pairs one by one, as protocol 5.5 writes it: differentiable.
at::Tensor plain_orpo(const at::Tensor& log_probs, const OrpoTerms& terms, double beta) {
  std::vector<at::Tensor> means;
  for (int64_t a = 0; a < terms.answer_lengths.size(0); ++a) {
    means.push_back(log_probs.masked_select(terms.label_answer.eq(a)).mean());
  }
  at::Tensor loss = -(log_probs * terms.nll_weights).sum();
  for (int64_t p = 0; p < terms.chosen.size(0); ++p) {
    const at::Tensor c = means[static_cast<size_t>(terms.chosen[p].item<int64_t>())];
    const at::Tensor r = means[static_cast<size_t>(terms.rejected[p].item<int64_t>())];
    const at::Tensor odds = c - r - (at::log1p(-at::exp(c)) - at::log1p(-at::exp(r)));
    loss = loss - beta * terms.pair_weights[p] * at::log(at::sigmoid(odds));
  }
  return loss;
}

TEST(OrpoLoss, WeightsAreTheGradientOfSharedAnswersPairsOneByOne) {
  at::manual_seed(9);
  const auto fp64 = at::TensorOptions().dtype(at::kDouble);
  // Three answers of 2, 3 and 1 labels, two labels of the prompt; four pairs.
  const OrpoTerms terms{.label_answer = at::tensor({-1, -1, 0, 0, 1, 1, 1, 2}, at::kLong),
                        .nll_weights = at::rand({8}, fp64),
                        .answer_lengths = at::tensor({2.0, 3.0, 1.0}, fp64),
                        .chosen = at::tensor({0, 0, 1, 2}, at::kLong),
                        .rejected = at::tensor({1, 2, 2, 0}, at::kLong),
                        .pair_weights = at::rand({4}, fp64)};
  const at::Tensor log_probs = -at::rand({8}) * 3 - 0.05;
  const at::Tensor x = log_probs.to(at::kDouble).requires_grad_(true);
  const at::Tensor expected = plain_orpo(x, terms, 0.3);
  const at::Tensor gradient = torch::autograd::grad({expected}, {x})[0];

  const OrpoLoss loss = orpo_loss(log_probs, terms, {.beta = 0.3});

  EXPECT_NEAR(loss.loss.item<double>(), expected.item<double>(), 1e-9);
  EXPECT_LT((loss.weights + gradient).abs().max().item<double>(), 1e-6);
}

TEST(OrpoLoss, AnAnswerOfProbabilityOneIsInfiniteUnlessClamped) {
  const at::Tensor log_probs = at::tensor({0.0F, -1.0F}, at::kFloat);

  const OrpoLoss open = orpo_loss(at::tensor({-1.0F, 0.0F}, at::kFloat), one_pair(), {});
  const OrpoLoss clamped = orpo_loss(log_probs, one_pair(), {.clamp = true});

  EXPECT_TRUE(std::isinf(open.loss.item<double>()));
  EXPECT_TRUE(std::isfinite(clamped.loss.item<double>()));
  EXPECT_EQ(clamped.weights[0].item<float>(), 0.0F);
}

}  // namespace
}  // namespace xkde
