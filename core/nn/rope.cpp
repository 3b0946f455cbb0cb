#include "core/nn/rope.h"

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

RotaryTable rotary_table(const at::Tensor& positions, const at::Tensor& frequencies,
                         at::ScalarType dtype) {
  const at::Tensor angles = positions.to(at::kFloat).unsqueeze(1) * frequencies.unsqueeze(0);
  const at::Tensor both = at::cat({angles, angles}, 1).unsqueeze(1);
  return {both.cos().to(dtype), both.sin().to(dtype)};
}

at::Tensor apply_rotary(const at::Tensor& x, const RotaryTable& table) {
  const int64_t half = x.size(-1) / 2;
  const std::vector<at::Tensor> halves = x.split_with_sizes({half, half}, -1);
  const at::Tensor rotated = at::cat({-halves[1], halves[0]}, -1);
  return x * table.cos + rotated * table.sin;
}

}  // namespace xkde
