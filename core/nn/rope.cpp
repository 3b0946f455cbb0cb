#include "core/nn/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ATen.h>

namespace xkde {

std::vector<float> inverse_frequencies(int64_t head_dim, double theta) {
  std::vector<float> frequencies;
  for (int64_t i = 0; i < head_dim; i += 2) {
    // transformers raises fp32 numbers to fp32 powers; the same rounding keeps logits within 1e-5.
    const float exponent = static_cast<float>(i) / static_cast<float>(head_dim);
    frequencies.push_back(1.0F / std::pow(static_cast<float>(theta), exponent));
  }
  return frequencies;
}

void scale_llama3(std::vector<float>& frequencies, const Llama3RopeScaling& scaling) {
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  const double longest = original / scaling.low_freq_factor;
  const double shortest = original / scaling.high_freq_factor;
  for (float& frequency : frequencies) {
    const double wavelength = 2 * std::numbers::pi / frequency;
    if (wavelength < shortest) continue;
    const double slowed = frequency / scaling.factor;
    if (wavelength > longest) {
      frequency = static_cast<float>(slowed);
      continue;
    }
    const double smooth = (original / wavelength - scaling.low_freq_factor) /
                          (scaling.high_freq_factor - scaling.low_freq_factor);
    frequency = static_cast<float>((1 - smooth) * slowed + smooth * frequency);
  }
}

void scale_yarn(std::vector<float>& frequencies, const YarnRopeScaling& scaling) {
  const auto pairs = static_cast<double>(frequencies.size());
  const auto original = static_cast<double>(scaling.original_max_position_embeddings);
  const auto pair_that_turns = [&](double times) {
    return pairs * std::log(original / (times * 2 * std::numbers::pi)) / std::log(scaling.theta);
  };
  double low = pair_that_turns(scaling.beta_fast);
  double high = pair_that_turns(scaling.beta_slow);
  if (scaling.truncates) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, 2 * pairs - 1);
  if (low == high) high += 0.001;  // as in transformers: the ramp is a step
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    const double frequency = frequencies[i];
    frequencies[i] = static_cast<float>(frequency / scaling.factor * ramp + frequency * (1 - ramp));
  }
}

RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype, double factor) {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  const at::Tensor both = at::cat({angles, angles}, 1).unsqueeze(1);
  if (factor == 1.0) return {both.cos().to(dtype), both.sin().to(dtype)};
  return {(both.cos() * factor).to(dtype), (both.sin() * factor).to(dtype)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  const int64_t turning = table.width();
  const at::Tensor turned = x.narrow(-1, 0, turning);
  const std::vector<at::Tensor> halves = turned.split_with_sizes({turning / 2, turning / 2}, -1);
  const at::Tensor rotated = turned * table.cos + at::cat({-halves[1], halves[0]}, -1) * table.sin;
  const int64_t rest = x.size(-1) - turning;
  return rest == 0 ? rotated : at::cat({rotated, x.narrow(-1, turning, rest)}, -1);
}

}  // namespace xkde
