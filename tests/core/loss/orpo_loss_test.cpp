#include "core/loss/orpo_loss.h"

#include <algorithm>
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

/// -log sigmoid(log odds) of one pair without a difference of logarithms: differentiable in fp64
/// up to a mean of 0 of the chosen answer.
at::Tensor pair_loss(const at::Tensor& chosen, const at::Tensor& rejected) {
  const at::Tensor odds_of_rejected = at::exp(rejected) / -at::expm1(rejected);
  return at::log1p(odds_of_rejected * -at::expm1(chosen) / at::exp(chosen));
}

struct Certain {
  double chosen, rejected;
  double tolerance;  ///< relative to the larger weight; of a mean of 0: what -2^-25 makes
};

class OrpoNearOne : public testing::TestWithParam<Certain> {};

TEST_P(OrpoNearOne, LossAndGradientAreThoseOfFp64Autograd) {
  const Certain& one = GetParam();
  const auto leaf = [](double value) {
    return at::full({}, value, at::TensorOptions().dtype(at::kDouble)).requires_grad_(true);
  };
  const at::Tensor chosen = leaf(one.chosen), rejected = leaf(one.rejected);
  const at::Tensor expected = 0.1 * pair_loss(chosen, rejected);
  const auto gradient = torch::autograd::grad({expected}, {chosen, rejected});

  const OrpoLoss loss = orpo_loss(
      at::tensor({static_cast<float>(one.chosen), static_cast<float>(one.rejected)}, at::kFloat),
      one_pair(), {});

  EXPECT_NEAR(loss.loss.item<double>(), expected.item<double>(),
              one.tolerance * std::max(1.0, std::abs(expected.item<double>())));
  const double largest =
      std::max({1.0, std::abs(gradient[0].item<double>()), std::abs(gradient[1].item<double>())});
  for (const int64_t which : {0, 1}) {
    const double right = -gradient[static_cast<size_t>(which)].item<double>();
    EXPECT_NEAR(loss.weights[which].item<float>(), right, one.tolerance * largest);
  }
}

// fp32 keeps weights to 6e-8; the means are powers of two, which it holds exactly.
INSTANTIATE_TEST_SUITE_P(Means, OrpoNearOne,
                         testing::Values(Certain{0, -0.5, 1e-6}, Certain{0, -0x1p-10, 1e-4},
                                         Certain{-0x1p-20, -1, 1e-6}, Certain{-1, -0x1p-20, 1e-6},
                                         Certain{-0x1p-40, -0.5, 1e-6},
                                         Certain{-0.5, -0x1p-40, 1e-6},
                                         Certain{-0x1p-50, -0x1p-50, 1e-6},
                                         Certain{-0x1p-52, -2, 1e-6}));

TEST(OrpoLoss, CertainAnswersHaveAFiniteLossAndGradient) {
  for (const auto& [chosen, rejected] : {std::pair(-1.0F, 0.0F), std::pair(0.0F, 0.0F),
                                         std::pair(-1e-30F, -1.0F), std::pair(-1.0F, -1e-30F)}) {
    const at::Tensor log_probs = at::tensor({chosen, rejected}, at::kFloat);

    const OrpoLoss loss = orpo_loss(log_probs, one_pair(), {});

    EXPECT_TRUE(std::isfinite(loss.loss.item<double>()));
    EXPECT_TRUE(at::isfinite(loss.weights).all().item<bool>());
    EXPECT_GE(loss.weights[0].item<float>(), 0);  // up with the chosen one
    EXPECT_LE(loss.weights[1].item<float>(), 0);
    EXPECT_TRUE(at::isfinite(loss.sums).all().item<bool>());
    EXPECT_EQ(loss.sums[kOrpoChosen].item<double>(), chosen);
    EXPECT_EQ(loss.sums[kOrpoRejected].item<double>(), rejected);
  }
}

TEST(OrpoLoss, EquallyCertainAnswersHaveOddsOfOne) {
  const OrpoLoss loss = orpo_loss(at::zeros({2}), one_pair(), {});

  EXPECT_EQ(loss.sums[kOrpoLogOdds].item<double>(), 0);
  EXPECT_NEAR(loss.loss.item<double>(), 0.1 * std::log(2.0), 1e-12);
}

TEST(OrpoLoss, ClampedAnswersTakeNoGradient) {
  const OrpoLoss clamped =
      orpo_loss(at::tensor({0.0F, -1.0F}, at::kFloat), one_pair(), {.clamp = true});

  EXPECT_TRUE(std::isfinite(clamped.loss.item<double>()));
  EXPECT_EQ(clamped.weights[0].item<float>(), 0.0F);
}

}  // namespace
}  // namespace xkde
