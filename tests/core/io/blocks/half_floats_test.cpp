#include "core/io/blocks/half_floats.h"

#include <cmath>
#include <cstdint>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(HalfFloats, GoThereAndBackAndRoundToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<uint16_t>(bits);
    const float value = float_from_half(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(float_from_half(half_from_float(value))));
      continue;
    }
    ASSERT_EQ(half_from_float(value), half);
    if ((half & 0x7FFFU) >= 0x7BFF) continue;  // none is next to the largest
    const float next = float_from_half(static_cast<uint16_t>(half + 1));
    const float middle = value + (next - value) / 2;
    ASSERT_EQ(half_from_float(middle), half % 2 == 0 ? half : half + 1) << "ties go to even";
    ASSERT_EQ(half_from_float(std::nextafter(middle, next)), half + 1);
  }
  EXPECT_EQ(half_from_float(65519.996F), 0x7BFF);
  EXPECT_EQ(half_from_float(-65520.0F), 0xFC00) << "too large";
}

}  // namespace
}  // namespace xkde
