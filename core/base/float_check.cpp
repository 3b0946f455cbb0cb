#include "core/base/float_check.h"

#include <algorithm>
#include <bit>

#include "core/base/vector_math.h"

namespace xkde {
namespace {

constexpr uint32_t kSignless = 0x7fffffff;
constexpr size_t kBlock = 4096;

/// The bits without the sign order numbers by size, and NaN is above infinity.
XKDE_INLINE int32_t size_bits(float value) {
  return static_cast<int32_t>(std::bit_cast<uint32_t>(value) & kSignless);
}

/// Without branches, so that it vectorises.
XKDE_CLONES int32_t largest_size(const float* values, size_t count) {
  int32_t largest = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t size = size_bits(values[i]);
    largest = size > largest ? size : largest;
  }
  return largest;
}

/// Each step is a bijection of the lane, so that no difference is lost on the way.
XKDE_INLINE uint32_t mixed(uint32_t lane, float value) {
  const uint32_t product = (lane ^ std::bit_cast<uint32_t>(value)) * 0x9e3779b1U;
  return product ^ (product >> 15);
}

XKDE_CLONES void mix_rows(const float* values, size_t rows, uint32_t* lanes) {
  constexpr size_t kLanes = FloatFingerprint::kLanes;
  uint32_t own[kLanes];
  for (size_t lane = 0; lane < kLanes; ++lane) own[lane] = lanes[lane];
  for (size_t row = 0; row < rows; ++row) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      own[lane] = mixed(own[lane], values[row * kLanes + lane]);
    }
  }
  for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = own[lane];
}

}  // namespace

std::optional<size_t> first_not_below(std::span<const float> values, float bound) {
  const int32_t limit = size_bits(bound);
  for (size_t begin = 0; begin < values.size(); begin += kBlock) {
    const std::span<const float> block =
        values.subspan(begin, std::min(kBlock, values.size() - begin));
    if (largest_size(block.data(), block.size()) < limit) [[likely]]
      continue;
    const auto found = std::find_if(block.begin(), block.end(),
                                    [limit](float value) { return size_bits(value) >= limit; });
    return begin + static_cast<size_t>(found - block.begin());
  }
  return std::nullopt;
}

FloatFingerprint::FloatFingerprint() {
  for (size_t lane = 0; lane < kLanes; ++lane) lanes_[lane] = static_cast<uint32_t>(lane + 1);
}

void FloatFingerprint::add(std::span<const float> values) {
  const size_t rows = values.size() / kLanes;
  mix_rows(values.data(), rows, lanes_.data());
  for (size_t i = rows * kLanes; i < values.size(); ++i) {
    uint32_t& lane = lanes_[i - rows * kLanes];
    lane = mixed(lane, values[i]);
  }
}

uint64_t FloatFingerprint::value() const {
  uint64_t value = 0;
  for (const uint32_t lane : lanes_) {
    value = (value ^ lane) * 0x9e3779b97f4a7c15U;
    value ^= value >> 32;
  }
  return value;
}

}  // namespace xkde
