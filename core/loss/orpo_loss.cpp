#include "core/loss/orpo_loss.h"

#include <ATen/ATen.h>

namespace xkde {
namespace {

constexpr double kHighest = -1e-6;
/// Half the step of fp32 below 1. Of a probability that rounds to 1 no more is known than that its
/// logarithm lies between this and 0.
constexpr double kNearestToOne = -0x1p-25;
/// Above it e^x is too near to 1 for 1 - e^x to be a difference.
constexpr double kNearZero = -0x1p-30;

/// log(1 - e^x) for x < 0.
at::Tensor log_of_rest(const at::Tensor& x) {
  return at::where(x.gt(kNearZero), at::log(-at::expm1(x)), at::log1p(-at::exp(x)));
}

}  // namespace

OrpoLoss orpo_loss(const at::Tensor& log_probs, const OrpoTerms& terms,
                   const OrpoOptions& options) {
  const at::Tensor wide = log_probs.to(at::kDouble);
  const at::Tensor in_answer = terms.label_answer.ge(0);
  const at::Tensor owner = terms.label_answer.clamp_min(0);
  const at::Tensor share =
      in_answer.to(at::kDouble) / terms.answer_lengths.index_select(0, owner);  // of each label
  const at::Tensor means = at::zeros_like(terms.answer_lengths).index_add(0, owner, wide * share);
  const at::Tensor used = options.clamp ? means.clamp_max(kHighest) : means;

  const at::Tensor below_one = at::where(used.exp().ge(1), kNearestToOne, used);

  const at::Tensor chosen = below_one.index_select(0, terms.chosen);
  const at::Tensor rejected = below_one.index_select(0, terms.rejected);
  const at::Tensor log_odds = (chosen - rejected) - (log_of_rest(chosen) - log_of_rest(rejected));
  const at::Tensor ratio = at::log_sigmoid(log_odds);
  const at::Tensor nll = -(wide * terms.nll_weights).sum();

  OrpoLoss result;
  result.loss = nll - options.beta * (terms.pair_weights * ratio).sum();
  // d ratio / d log_odds = sigmoid(-log_odds); d log_odds / d mean = +-1 / (1 - e^mean).
  const at::Tensor slope = options.beta * terms.pair_weights * at::sigmoid(-log_odds);
  at::Tensor pull = at::zeros_like(means);  // -d loss / d used
  pull.index_add_(0, terms.chosen, slope / (-at::expm1(chosen)));
  pull.index_add_(0, terms.rejected, -slope / (-at::expm1(rejected)));
  if (options.clamp) pull.mul_(means.le(kHighest));
  result.weights =
      (terms.nll_weights + share * pull.index_select(0, owner)).to(at::kFloat).contiguous();

  const at::Tensor pairs = at::full({}, static_cast<double>(terms.chosen.size(0)), wide.options());
  result.sums = at::stack(
      {pairs, used.index_select(0, terms.chosen).sum(), used.index_select(0, terms.rejected).sum(),
       chosen.gt(rejected).to(at::kDouble).sum(), log_odds.sum(), ratio.sum(), nll});
  return result;
}

}  // namespace xkde
