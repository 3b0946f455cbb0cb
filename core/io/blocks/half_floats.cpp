#include "core/io/blocks/half_floats.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace xkde {

float float_from_half(uint16_t bits) noexcept {
  const uint32_t sign = (bits & 0x8000U) << 16U;
  const uint32_t exponent = (bits >> 10U) & 0x1FU;
  const uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
  const float subnormal = std::ldexp(static_cast<float>(mantissa), -24);
  return sign != 0 ? -subnormal : subnormal;
}

float half_at(const uint8_t* from) noexcept {
  uint16_t bits;
  std::memcpy(&bits, from, sizeof bits);
  return float_from_half(bits);
}

uint16_t half_from_float(float value) noexcept {
  const uint32_t sign = (std::bit_cast<uint32_t>(value) >> 16U) & 0x8000U;
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00U);
  const float size = std::fabs(value);
  if (size < 0x1p-14F) {  // subnormal: whole multiples of 2^-24, exact in fp32 before rounding
    return static_cast<uint16_t>(sign | static_cast<uint32_t>(std::nearbyint(size * 0x1p24F)));
  }
  const auto bits = std::bit_cast<uint32_t>(size);
  const uint32_t rounded = (bits + 0xFFFU + ((bits >> 13U) & 1U)) >> 13U;  // may carry over
  const uint32_t half = rounded - (112U << 10U);
  return static_cast<uint16_t>(sign | (half < 0x7C00U ? half : 0x7C00U));
}

float float_from_bfloat16(uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16U);
}

uint16_t bfloat16_from_float(float value) noexcept {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16U) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

}  // namespace xkde
