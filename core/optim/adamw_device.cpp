#include "core/optim/adamw_device.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace xkde {
namespace {

struct Lists {
  std::vector<at::Tensor> master, gradient, exp_avg, exp_avg_sq, steps;
};

}  // namespace

// NOLINTNEXTLINE(readability-function-size): state, gradient and a step's scalars
void adamw_on_device(at::Tensor& master, at::Tensor& exp_avg, at::Tensor& exp_avg_sq,
                     const at::Tensor& gradient, const std::vector<DecayRange>& ranges,
                     const AdamWOptions& options, int64_t step, double learning_rate,
                     const at::Tensor& gradient_scale) {
  constexpr int64_t kLongest = int64_t{1} << 30;  // the kernel's offsets stay below 2^31
  const auto scalar = master.options();
  const at::Tensor steps = at::full({}, static_cast<double>(step), scalar);
  const at::Tensor divisor = gradient_scale.reciprocal().to(at::kFloat);
  for (const bool decays : {true, false}) {
    Lists lists;
    for (const DecayRange& range : ranges) {
      if (range.decays != decays) continue;
      for (int64_t begin = range.begin; begin < range.end; begin += kLongest) {
        const int64_t length = std::min(kLongest, range.end - begin);
        lists.master.push_back(master.narrow(0, begin, length));
        lists.gradient.push_back(gradient.narrow(0, begin, length));
        lists.exp_avg.push_back(exp_avg.narrow(0, begin, length));
        lists.exp_avg_sq.push_back(exp_avg_sq.narrow(0, begin, length));
        lists.steps.push_back(steps);
      }
    }
    if (lists.master.empty()) continue;
    at::_fused_adamw_(lists.master, lists.gradient, lists.exp_avg, lists.exp_avg_sq,
                      /*max_exp_avg_sqs=*/{}, lists.steps, learning_rate, options.beta1,
                      options.beta2, decays ? options.weight_decay : 0.0, options.epsilon,
                      /*amsgrad=*/false, /*maximize=*/false, divisor);
  }
}

}  // namespace xkde
