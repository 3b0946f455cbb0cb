#ifndef XKDE_CORE_IO_BLOCKS_HALF_FLOATS_H_
#define XKDE_CORE_IO_BLOCKS_HALF_FLOATS_H_

#include <cstdint>

namespace xkde {

float float_from_half(uint16_t bits) noexcept;
/// Of two bytes of a file.
float half_at(const uint8_t* from) noexcept;
/// Rounds to nearest, ties to even; NaN stays NaN.
uint16_t half_from_float(float value) noexcept;
float float_from_bfloat16(uint16_t bits) noexcept;
/// Rounds to nearest, ties to even; NaN stays NaN.
uint16_t bfloat16_from_float(float value) noexcept;

}  // namespace xkde

#endif  // XKDE_CORE_IO_BLOCKS_HALF_FLOATS_H_
