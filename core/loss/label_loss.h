#ifndef XKDE_CORE_LOSS_LABEL_LOSS_H_
#define XKDE_CORE_LOSS_LABEL_LOSS_H_

#include <functional>

#include <ATen/core/Tensor.h>

namespace xkde {

/// A loss of the log-probabilities of labels, with its gradient as the weights of a weighted
/// cross-entropy: d loss / d log_prob = -weight.
struct LabelLoss {
  at::Tensor loss;     ///< fp64 [], on the device
  at::Tensor weights;  ///< fp32 [L]
};

/// Takes the log-probability of each label, fp32 [L].
using LossOfLogProbs = std::function<LabelLoss(const at::Tensor& log_probs)>;

}  // namespace xkde

#endif  // XKDE_CORE_LOSS_LABEL_LOSS_H_
