#include "core/optim/adamw.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/vector_math.h"
#include "core/optim/adamw_device.h"
#include "core/optim/adamw_update.h"

namespace xkde {
namespace {

// The loop is bound by memory where it is vectorised and by sqrt and division where it is not.
XKDE_CLONES void update_range(float* __restrict master, float* __restrict exp_avg,
                              float* __restrict exp_avg_sq, const float* __restrict gradient,
                              int64_t numel, const AdamWConstants& constants) {
  const AdamWConstants c = constants;
  for (int64_t i = 0; i < numel; ++i) {
    const float g = gradient[i] * c.gradient_scale;
    const float m = exp_avg[i] + (g - exp_avg[i]) * (1.0F - c.beta1);
    const float v = exp_avg_sq[i] * c.beta2 + g * g * (1.0F - c.beta2);
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    const float denominator = std::sqrt(v) * c.inverse_correction2_sqrt + c.epsilon;
    master[i] = master[i] * c.keep - c.step_size * m / denominator;
  }
}

XKDE_CLONES double squares_of_range(const float* data, int64_t numel) {
  constexpr int64_t kLanes = 32;  // sums side by side, so that none waits for the one before
  double lanes[kLanes] = {};
  const int64_t whole = numel - numel % kLanes;
  for (int64_t i = 0; i < whole; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const auto value = static_cast<double>(data[i + lane]);
      lanes[lane] += value * value;
    }
  }
  double sum = 0.0;
  for (int64_t i = whole; i < numel; ++i) {
    sum += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  }
  for (int64_t lane = 0; lane < kLanes; ++lane) sum += lanes[lane];
  return sum;
}

void update_on_cpu(float* master, float* exp_avg, float* exp_avg_sq, const float* gradient,
                   int64_t numel, const AdamWConstants& constants) {
  constexpr int64_t kGrain = 1 << 16;
  at::parallel_for(0, numel, kGrain, [&](int64_t begin, int64_t end) {
    update_range(master + begin, exp_avg + begin, exp_avg_sq + begin, gradient + begin, end - begin,
                 constants);
  });
}

}  // namespace

AdamWConstants adamw_constants(const AdamWOptions& options, int64_t step, double learning_rate,
                               bool decays, float gradient_scale) {
  const auto t = static_cast<double>(step);
  const double correction1 = 1.0 - std::pow(options.beta1, t);
  const double correction2 = 1.0 - std::pow(options.beta2, t);
  const double decay = decays ? options.weight_decay : 0.0;
  return {.beta1 = static_cast<float>(options.beta1),
          .beta2 = static_cast<float>(options.beta2),
          .epsilon = static_cast<float>(options.epsilon),
          .step_size = static_cast<float>(learning_rate / correction1),
          .inverse_correction2_sqrt = static_cast<float>(1.0 / std::sqrt(correction2)),
          .keep = static_cast<float>(1.0 - learning_rate * decay),
          .gradient_scale = gradient_scale};
}

void adamw_update(float* master, float* exp_avg, float* exp_avg_sq, const float* gradient,
                  int64_t numel, const AdamWConstants& constants) {
  update_range(master, exp_avg, exp_avg_sq, gradient, numel, constants);
}

AdamW::AdamW(int64_t numel, AdamWOptions options, std::vector<DecayRange> ranges, at::Device device)
    : options_(options), ranges_(std::move(ranges)) {
  const auto fp32 = at::TensorOptions().dtype(at::kFloat).device(device);
  exp_avg_ = at::zeros({numel}, fp32);
  exp_avg_sq_ = at::zeros({numel}, fp32);
}

void AdamW::step(at::Tensor& master, const at::Tensor& gradient, double learning_rate,
                 const at::Tensor& gradient_scale) {
  ++steps_done_;
  if (!master.is_cpu()) {
    return adamw_on_device(master, exp_avg_, exp_avg_sq_, gradient, ranges_, options_, steps_done_,
                           learning_rate, gradient_scale);
  }
  const auto scale = gradient_scale.item<float>();
  for (const DecayRange& range : ranges_) {
    const AdamWConstants constants =
        adamw_constants(options_, steps_done_, learning_rate, range.decays, scale);
    const int64_t numel = range.end - range.begin;
    update_on_cpu(master.mutable_data_ptr<float>() + range.begin,
                  exp_avg_.mutable_data_ptr<float>() + range.begin,
                  exp_avg_sq_.mutable_data_ptr<float>() + range.begin,
                  gradient.const_data_ptr<float>() + range.begin, numel, constants);
  }
}

namespace {

/// In pieces: the whole in fp64 would take twice the memory of the gradients.
at::Tensor sum_of_squares_on_device(const at::Tensor& values) {
  constexpr int64_t kPiece = int64_t{1} << 24;
  at::Tensor total = at::zeros({}, values.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < values.numel(); begin += kPiece) {
    const int64_t length = std::min(kPiece, values.numel() - begin);
    total.add_(values.narrow(0, begin, length).to(at::kDouble).square_().sum());
  }
  return total;
}

}  // namespace

at::Tensor sum_of_squares(const at::Tensor& values) {
  if (!values.is_cpu()) return sum_of_squares_on_device(values);
  constexpr int64_t kChunk = 1 << 16;
  const float* data = values.const_data_ptr<float>();
  const int64_t numel = values.numel();
  std::vector<double> partial(static_cast<size_t>((numel + kChunk - 1) / kChunk));
  at::parallel_for(0, static_cast<int64_t>(partial.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t stop = std::min(numel, (chunk + 1) * kChunk);
      partial[static_cast<size_t>(chunk)] =
          squares_of_range(data + chunk * kChunk, stop - chunk * kChunk);
    }
  });
  return at::scalar_tensor(std::accumulate(partial.begin(), partial.end(), 0.0), at::kDouble);
}

at::Tensor clip_scale(const at::Tensor& norm, double max_norm) {
  return (max_norm / (norm + 1e-6)).clamp_max(1.0);
}

}  // namespace xkde
