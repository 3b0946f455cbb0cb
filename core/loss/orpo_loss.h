#ifndef XKDE_CORE_LOSS_ORPO_LOSS_H_
#define XKDE_CORE_LOSS_ORPO_LOSS_H_

#include <ATen/core/Tensor.h>

#include "core/loss/label_loss.h"

namespace xkde {

/// What the labels of one forward pass mean to ORPO. Answers are numbered; each stands once,
/// however many pairs have it, and so does a prompt. All tensors on the device.
struct OrpoTerms {
  at::Tensor label_answer;    ///< int64 [L]: the answer a label belongs to; -1: a prompt's
  at::Tensor nll_weights;     ///< fp64 [L]: of -log_prob in the NLL term, summed over pairs
  at::Tensor answer_lengths;  ///< fp64 [A]: labels of each answer
  at::Tensor chosen;          ///< int64 [P]: answer of each pair
  at::Tensor rejected;        ///< int64 [P]
  at::Tensor pair_weights;    ///< fp64 [P]: of the odds-ratio term
};

struct OrpoOptions {
  double beta = 0.1;
  bool clamp = false;  ///< log-probabilities of answers stay below -1e-6
};

/// Sums over pairs, in the order of OrpoSums' entries: fp64 [kOrpoSums].
enum OrpoSum {
  kOrpoPairs,
  kOrpoChosen,  ///< mean log-probability of the chosen answer's tokens
  kOrpoRejected,
  kOrpoAccuracy,  ///< pairs whose chosen answer is the more likely one
  kOrpoLogOdds,
  kOrpoRatio,  ///< log sigmoid(log odds)
  kOrpoNll,    ///< the NLL term, weighted as in the loss
  kOrpoSums
};

struct OrpoLoss : LabelLoss {
  at::Tensor sums;
};

/// ORPO (arXiv:2403.07691) as TRL 0.11.3 computes it (protocol 5.5): sum of nll_weights * -log_prob
/// minus beta * sum of pair_weights * log sigmoid(log odds), the odds of the mean log-probability
/// of an answer's tokens. log_probs fp32 [L]; everything is taken in fp64. A mean whose
/// exponential rounds to 1 in fp64 enters the odds as -2^-25: half the step of fp32 below 1. So
/// loss and weights are finite, and for a chosen answer the weights are those of the limit within
/// 1e-7; TRL's are NaN there. Nothing else is clamped unless asked.
OrpoLoss orpo_loss(const at::Tensor& log_probs, const OrpoTerms& terms, const OrpoOptions& options);

}  // namespace xkde

#endif  // XKDE_CORE_LOSS_ORPO_LOSS_H_
