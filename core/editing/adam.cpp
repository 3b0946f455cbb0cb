#include "core/editing/adam.h"

#include <cmath>

#include <ATen/ATen.h>

namespace xkde {

namespace {

constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;

}  // namespace

Adam::Adam(const std::vector<at::Tensor>& tensors, double learning_rate)
    : learning_rate_(learning_rate) {
  for (const at::Tensor& tensor : tensors) {
    first_.push_back(at::zeros_like(tensor));
    second_.push_back(at::zeros_like(tensor));
  }
}

void Adam::update(std::vector<at::Tensor> tensors, const std::vector<at::Tensor>& gradients) {
  const auto power = static_cast<double>(++steps_);
  const double correction1 = 1.0 - std::pow(kBeta1, power);
  const double correction2 = std::sqrt(1.0 - std::pow(kBeta2, power));
  for (size_t i = 0; i < tensors.size(); ++i) {
    first_[i].mul_(kBeta1).add_(gradients[i], 1.0 - kBeta1);
    second_[i].mul_(kBeta2).addcmul_(gradients[i], gradients[i], 1.0 - kBeta2);
    const at::Tensor divisor = second_[i].sqrt().div_(correction2).add_(kEpsilon);
    tensors[i].addcdiv_(first_[i], divisor, -learning_rate_ / correction1);
  }
}

}  // namespace xkde
