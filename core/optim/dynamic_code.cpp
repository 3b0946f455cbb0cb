#include "core/optim/dynamic_code.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace xkde {
namespace {

constexpr int kDecades = 7;

std::array<float, 256> fractions_of(bool both_signs) {
  std::array<float, 256> fractions{0.0F, 1.0F};
  size_t count = 2;
  double decade = 1e6;  // one over the size of its largest fraction
  for (int i = 0; i < kDecades; ++i, decade /= 10.0) {
    // Each decade has twice the fractions of the one below; without signs, twice as many.
    const int steps = 1 << (both_signs ? i : i + 1);
    for (int step = 0; step < steps; ++step) {
      const double low = 0.1 + 0.9 * step / steps;
      const double high = 0.1 + 0.9 * (step + 1) / steps;
      const auto middle = static_cast<float>((low + high) / 2.0 / decade);
      fractions.at(count++) = middle;
      if (both_signs) fractions.at(count++) = -middle;
    }
  }
  std::ranges::sort(fractions);
  return fractions;
}

}  // namespace

const DynamicCode& DynamicCode::of_both_signs() {
  static const DynamicCode code(true);
  return code;
}

const DynamicCode& DynamicCode::of_squares() {
  static const DynamicCode code(false);
  return code;
}

DynamicCode::DynamicCode(bool both_signs)
    : both_signs_(both_signs), fractions_(fractions_of(both_signs)) {
  for (size_t i = 0; i + 1 < fractions_.size(); ++i)
    borders_[i] = (fractions_[i] + fractions_[i + 1]) / 2.0F;
  borders_.back() = std::numeric_limits<float>::infinity();
  const auto code_of = [&](float fraction) {
    return static_cast<uint8_t>(
        std::ranges::count_if(borders(), [&](float border) { return border < fraction; }));
  };
  for (uint32_t bin = 0; bin < kBins; ++bin) {
    const uint32_t bits = (kFirst + bin) << kShift;
    const float least = bin == 0 ? 0.0F : std::bit_cast<float>(bits);
    const float most = std::bit_cast<float>(bits | ((1U << kShift) - 1));
    lowest_[bin] = code_of(least);
    lowest_[kBins + bin] = code_of(-most);
  }
}

inline uint8_t DynamicCode::nearest(float fraction) const {
  const auto bits = std::bit_cast<uint32_t>(fraction);
  const uint32_t bin = std::clamp((bits & 0x7FFFFFFFU) >> kShift, kFirst, kLast) - kFirst;
  const uint8_t low = lowest_[bin + (bits >> 31U) * kBins];
  return static_cast<uint8_t>(low + (fraction > borders_[low] ? 1 : 0));
}

float DynamicCode::encode(const float* values, uint8_t* codes) const {
  float scale = 0.0F;
  for (int64_t i = 0; i < kBlock; ++i) scale = std::max(scale, std::fabs(values[i]));
  if (scale < std::numeric_limits<float>::min()) scale = 0.0F;
  const float inverse = scale > 0.0F ? 1.0F / scale : 0.0F;
  for (int64_t i = 0; i < kBlock; ++i) {
    const uint8_t code = nearest(values[i] * inverse);
    const bool is_small = !both_signs_ && scale > 0.0F && values[i] > 0.0F;
    codes[i] = is_small ? std::max<uint8_t>(code, 1) : code;
  }
  return scale;
}

void DynamicCode::decode(const uint8_t* codes, float scale, float* values) const {
  for (int64_t i = 0; i < kBlock; ++i) values[i] = fractions_[codes[i]] * scale;
}

}  // namespace xkde
