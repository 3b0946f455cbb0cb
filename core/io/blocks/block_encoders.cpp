#include "core/io/blocks/block_encoders.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstring>

#include "core/io/blocks/half_floats.h"

namespace xkde {
namespace {

constexpr size_t kSmallBlock = 32;

void put_half(float value, uint8_t* out) {
  const uint16_t bits = half_from_float(value);
  std::memcpy(out, &bits, sizeof bits);
}

/// 0 where there is nothing to divide by: also where the quotient would be infinite, as all numbers
/// of the block are then far below the smallest half float.
float inverse_of(float scale) {
  const float inverse = scale == 0.0F ? 0.0F : 1.0F / scale;
  return std::isfinite(inverse) ? inverse : 0.0F;
}

/// Cuts a number that is not below 0 to a whole one of at most `largest`.
uint8_t whole(float value, int largest) {
  return static_cast<uint8_t>(std::min(static_cast<int>(value), largest));
}

/// The low halves of 32 numbers as decode_nibbles() reads them, before them the fifth bits.
template <bool has_fifth>
void put_nibbles(const std::array<uint8_t, kSmallBlock>& numbers, uint8_t* out) {
  if (has_fifth) {
    uint32_t fifth = 0;
    for (size_t i = 0; i < kSmallBlock; ++i) fifth |= (numbers[i] >> 4U & 1U) << i;
    std::memcpy(out, &fifth, sizeof fifth);
    out += sizeof fifth;
  }
  for (size_t i = 0; i < kSmallBlock / 2; ++i) {
    out[i] = static_cast<uint8_t>((numbers[i] & 0x0FU) | (numbers[i + 16] & 0x0FU) << 4U);
  }
}

/// fp16 scale, then numbers around a centre; the one of largest magnitude becomes the lowest.
template <bool has_fifth>
void encode_around_zero(const float* in, uint8_t* out) {
  constexpr int kCentre = has_fifth ? 16 : 8;
  float peak = in[0];
  for (size_t i = 1; i < kSmallBlock; ++i) {
    if (std::abs(in[i]) > std::abs(peak)) peak = in[i];
  }
  const float scale = peak / -static_cast<float>(kCentre);
  const float inverse = inverse_of(scale);
  std::array<uint8_t, kSmallBlock> numbers{};
  for (size_t i = 0; i < kSmallBlock; ++i) {
    const float steps = in[i] * inverse;
    numbers[i] = whole(steps + (static_cast<float>(kCentre) + 0.5F), 2 * kCentre - 1);
  }
  put_half(scale, out);
  put_nibbles<has_fifth>(numbers, out + 2);
}

// The 256 numbers of a large block are groups with a scale of their own. Scales are found by trying
// some that lie around the spread of a group, each fitted to the numbers that it gives by least
// squares; the one with the smallest square error stays.

/// What the trials stretch a group's spread by, in steps.
constexpr std::array<float, 7> kStretches = {-0.9F, -0.6F, -0.3F, 0.0F, 0.3F, 0.6F, 0.9F};

/// A group as step * number - base.
struct Grid {
  float step = 0.0F;
  float base = 0.0F;
  int largest = 0;  ///< number

  int number(float value) const {
    if (step == 0.0F) return 0;
    return static_cast<int>(
        std::clamp(std::nearbyint((value + base) / step), 0.0F, static_cast<float>(largest)));
  }
  float error(const float* in, size_t count) const {
    float sum = 0.0F;
    for (size_t i = 0; i < count; ++i) {
      const float off = step * static_cast<float>(number(in[i])) - base - in[i];
      sum += off * off;
    }
    return sum;
  }
};

/// The grid of the same numbers that lies nearest to the values; its base is not below 0.
Grid fitted(const Grid& grid, const float* in, size_t count) {
  float numbers = 0.0F, squares = 0.0F, values = 0.0F, products = 0.0F;
  for (size_t i = 0; i < count; ++i) {
    const auto number = static_cast<float>(grid.number(in[i]));
    numbers += number;
    squares += number * number;
    values += in[i];
    products += number * in[i];
  }
  const auto all = static_cast<float>(count);
  const float determinant = all * squares - numbers * numbers;
  if (!(determinant > 0.0F)) return grid;
  Grid fit = grid;
  fit.step = (all * products - numbers * values) / determinant;
  fit.base = (numbers * products - squares * values) / determinant;
  if (fit.base < 0.0F) {
    fit.base = 0.0F;
    fit.step = products / squares;
  }
  return fit.step > 0.0F ? fit : grid;
}

/// The best grid that was found for a group of 32 whose numbers go from 0 to `largest`.
Grid best_grid(const float* in, int largest) {
  const auto [lowest, highest] = std::minmax_element(in, in + kSmallBlock);
  const float base = std::max(0.0F, -*lowest);
  const float spread = *highest + base;
  Grid best{.step = 0.0F, .base = base, .largest = largest};
  if (!(spread > 0.0F)) return best;
  float least = INFINITY;
  for (const float stretch : kStretches) {
    const Grid start{spread / (static_cast<float>(largest) + stretch), base, largest};
    for (const Grid& grid : {start, fitted(start, in, kSmallBlock)}) {
      const float error = grid.error(in, kSmallBlock);
      if (error >= least) continue;
      least = error;
      best = grid;
    }
  }
  return best;
}

/// The parts of 64 that 6 bits say.
uint8_t six_bits(float value, float unit) {
  if (unit == 0.0F) return 0;
  return static_cast<uint8_t>(std::clamp(std::nearbyint(value / unit), 0.0F, 63.0F));
}

void put_packed_scale(uint8_t scale, uint8_t minimum, size_t group, uint8_t* packed) {
  if (group < 4) {
    packed[group] = static_cast<uint8_t>(packed[group] | scale);
    packed[group + 4] = static_cast<uint8_t>(packed[group + 4] | minimum);
    return;
  }
  packed[group + 4] = static_cast<uint8_t>((scale & 0x0FU) | (minimum & 0x0FU) << 4U);
  packed[group - 4] = static_cast<uint8_t>(packed[group - 4] | (scale >> 4U) << 6U);
  packed[group] = static_cast<uint8_t>(packed[group] | (minimum >> 4U) << 6U);
}

/// What decode_q45_k() reads.
template <bool has_fifth>
void encode_q45_k(const float* in, uint8_t* out) {
  constexpr int kLargest = has_fifth ? 31 : 15;
  constexpr size_t kGroups = 8, kPairs = has_fifth ? 48 : 16;
  std::array<Grid, kGroups> grids;
  float step = 0.0F, base = 0.0F;
  for (size_t group = 0; group < kGroups; ++group) {
    grids[group] = best_grid(in + group * kSmallBlock, kLargest);
    step = std::max(step, grids[group].step);
    base = std::max(base, grids[group].base);
  }
  std::memset(out, 0, kPairs + 128);
  put_half(step / 63.0F, out);
  put_half(base / 63.0F, out + 2);
  const float step_unit = half_at(out), base_unit = half_at(out + 2);
  for (size_t group = 0; group < kGroups; ++group) {
    const uint8_t scale = six_bits(grids[group].step, step_unit);
    const uint8_t minimum = six_bits(grids[group].base, base_unit);
    put_packed_scale(scale, minimum, group, out + 4);
    const Grid grid{step_unit * static_cast<float>(scale), base_unit * static_cast<float>(minimum),
                    kLargest};
    uint8_t* pair = out + kPairs + group / 2 * 32;
    for (size_t i = 0; i < kSmallBlock; ++i) {
      const auto number = static_cast<uint32_t>(grid.number(in[group * kSmallBlock + i]));
      pair[i] = static_cast<uint8_t>(pair[i] | (number & 0x0FU) << (group % 2 * 4));
      if (has_fifth) out[16 + i] = static_cast<uint8_t>(out[16 + i] | (number >> 4U) << group);
    }
  }
}

/// A number from -32 to 31.
int signed_number(float value, float step) {
  if (step == 0.0F) return 0;
  return static_cast<int>(std::clamp(std::nearbyint(value / step), -32.0F, 31.0F));
}

/// The best step that was found for a group of 16 whose numbers go from -32 to 31.
float best_step(const float* in) {
  constexpr size_t kCount = 16;
  float peak = in[0];
  for (size_t i = 1; i < kCount; ++i) {
    if (std::abs(in[i]) > std::abs(peak)) peak = in[i];
  }
  float best = 0.0F, least = INFINITY;
  const auto consider = [&](float step) {
    float error = 0.0F, products = 0.0F, squares = 0.0F;
    for (size_t i = 0; i < kCount; ++i) {
      const auto number = static_cast<float>(signed_number(in[i], step));
      error += (step * number - in[i]) * (step * number - in[i]);
      products += number * in[i];
      squares += number * number;
    }
    if (error < least) {
      least = error;
      best = step;
    }
    return squares > 0.0F ? products / squares : step;
  };
  for (const float stretch : kStretches) consider(consider(peak / (-32.0F - stretch)));
  return best;
}

}  // namespace

void encode_q4_0(const float* in, uint8_t* out) { encode_around_zero<false>(in, out); }

void encode_q5_0(const float* in, uint8_t* out) { encode_around_zero<true>(in, out); }

void encode_q5_1(const float* in, uint8_t* out) {
  constexpr int kLevels = 31;
  const auto [lowest, highest] = std::minmax_element(in, in + kSmallBlock);
  const float minimum = *lowest;
  const float scale = (*highest - minimum) / static_cast<float>(kLevels);
  const float inverse = inverse_of(scale);
  std::array<uint8_t, kSmallBlock> numbers{};
  for (size_t i = 0; i < kSmallBlock; ++i) {
    const float steps = (in[i] - minimum) * inverse;
    numbers[i] = whole(steps + 0.5F, kLevels);
  }
  put_half(scale, out);
  put_half(minimum, out + 2);
  put_nibbles<true>(numbers, out + 4);
}

void encode_q8_0(const float* in, uint8_t* out) {
  float largest = 0.0F;
  for (size_t i = 0; i < kSmallBlock; ++i) largest = std::max(largest, std::abs(in[i]));
  const float scale = largest / 127.0F;
  const float inverse = inverse_of(scale);
  put_half(scale, out);
  for (size_t i = 0; i < kSmallBlock; ++i) {
    out[2 + i] = static_cast<uint8_t>(static_cast<int8_t>(std::round(in[i] * inverse)));
  }
}

void encode_q4_k(const float* in, uint8_t* out) { encode_q45_k<false>(in, out); }

void encode_q5_k(const float* in, uint8_t* out) { encode_q45_k<true>(in, out); }

/// What decode_q6_k() reads.
void encode_q6_k(const float* in, uint8_t* out) {
  constexpr size_t kGroups = 16, kBytes = 210;
  std::array<float, kGroups> steps{};
  float largest = 0.0F;
  for (size_t group = 0; group < kGroups; ++group) {
    steps[group] = best_step(in + group * 16);
    largest = std::max(largest, std::abs(steps[group]));
  }
  std::memset(out, 0, kBytes);
  put_half(largest / 127.0F, out + 208);
  const float unit = half_at(out + 208);
  for (size_t group = 0; group < kGroups; ++group) {
    const float scale =
        unit == 0.0F ? 0.0F : std::clamp(std::nearbyint(steps[group] / unit), -127.0F, 127.0F);
    out[192 + group] = static_cast<uint8_t>(static_cast<int8_t>(scale));
    uint8_t* low = out + group / 8 * 64 + group % 4 * 16;
    uint8_t* high = out + 128 + group / 8 * 32 + group % 2 * 16;
    for (size_t i = 0; i < 16; ++i) {
      const auto number =
          static_cast<uint32_t>(signed_number(in[group * 16 + i], unit * scale) + 32);
      low[i] = static_cast<uint8_t>(low[i] | (number & 0x0FU) << (group % 8 / 4 * 4));
      high[i] = static_cast<uint8_t>(high[i] | (number >> 4U) << (group % 8 / 2 * 2));
    }
  }
}

}  // namespace xkde
