#include "core/io/blocks/block_encoders.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/float_formats.h"
#include "core/io/gguf.h"

namespace xkde {
namespace {

std::vector<std::byte> encoded(const std::string& format, std::span<const float> values) {
  const StorageFormat known = *storage_format(format);
  std::vector<std::byte> bytes(values.size() / static_cast<size_t>(known.values) *
                               static_cast<size_t>(known.bytes));
  encode_from_f32(format, values, bytes);
  return bytes;
}

std::vector<float> decoded(const std::string& format, std::span<const float> values) {
  std::vector<float> result(values.size());
  decode_to_f32(format, encoded(format, values), result);
  return result;
}

TEST(BlockEncoders, GiveTheBytesOfGgufPy) {
  const GgufFile file = GgufFile::open(XKDE_SOURCE_DIR "/tests/golden/quantized/encoders.gguf");
  std::vector<float> values(1024);
  std::map<std::string, const GgufFile::Tensor*> tensors;
  for (const GgufFile::Tensor& tensor : file.tensors()) tensors[tensor.name] = &tensor;
  file.read_f32(*tensors.at("values"), values);

  for (const std::string name : {"BF16", "Q4_0", "Q5_0", "Q5_1", "Q8_0"}) {
    const std::vector<std::byte> got = encoded(name, values);
    std::vector<std::byte> expected(got.size());
    std::ifstream in(file.path(), std::ios::binary);
    in.seekg(static_cast<std::streamoff>(tensors.at(name)->offset));
    in.read(reinterpret_cast<char*>(expected.data()), std::ssize(expected));
    ASSERT_TRUE(in) << name;
    EXPECT_EQ(got, expected) << name;
  }
}

TEST(BlockEncoders, NumbersBelowEveryScaleBecomeZeros) {
  // 1 over a scale of these is beyond fp32's largest number.
  std::vector<float> values(32, 1e-37F);
  values[5] = -3e-38F;
  values[7] = std::numeric_limits<float>::denorm_min();
  for (const std::string format : {"Q4_0", "Q5_0", "Q5_1", "Q8_0"}) {
    for (const float value : decoded(format, values)) EXPECT_EQ(value, 0.0F) << format;
  }
  EXPECT_EQ(encoded("Q8_0", values), std::vector<std::byte>(34));
}

float squares(const std::vector<float>& one, const std::vector<float>& other) {
  float sum = 0;
  for (size_t i = 0; i < one.size(); ++i) sum += (one[i] - other[i]) * (one[i] - other[i]);
  return sum;
}

/// The nearest of `levels` numbers from the lowest of a group (0, if that is higher) to the
/// highest.
std::vector<float> on_plain_grids(std::vector<float> values, size_t group, float levels) {
  for (size_t begin = 0; begin < values.size(); begin += group) {
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = first + static_cast<std::ptrdiff_t>(group);
    const float low = std::min(0.0F, *std::min_element(first, last));
    const float step = (*std::max_element(first, last) - low) / (levels - 1);
    std::transform(first, last, first,
                   [&](float value) { return low + step * std::round((value - low) / step); });
  }
  return values;
}

/// The nearest multiples of a 32nd of the largest magnitude of a group.
std::vector<float> on_signed_grids(std::vector<float> values, size_t group, float half) {
  for (size_t begin = 0; begin < values.size(); begin += group) {
    float largest = 0;
    for (size_t i = begin; i < begin + group; ++i) largest = std::max(largest, std::abs(values[i]));
    for (size_t i = begin; i < begin + group; ++i) {
      const float number = std::clamp(std::round(values[i] / largest * half), -half, half - 1);
      values[i] = number * largest / half;
    }
  }
  return values;
}

TEST(BlockEncoders, LargeBlocksAreNearerThanPlainGrids) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0.0F, 0.04F);
  std::vector<float> values(size_t{256} * 64);
  for (float& value : values) value = normal(random);
  // Plain grids have exact scales here; those of the blocks are rounded to 6 or 8 bits.
  EXPECT_LT(squares(decoded("Q4_K", values), values),
            0.9F * squares(on_plain_grids(values, 32, 16), values));
  EXPECT_LT(squares(decoded("Q5_K", values), values),
            0.95F * squares(on_plain_grids(values, 32, 32), values));
  EXPECT_LT(squares(decoded("Q6_K", values), values),
            0.7F * squares(on_signed_grids(values, 16, 32), values));
}

TEST(BlockEncoders, LargeBlocksOfEqualOrNoNumbersAreRight) {
  const std::vector<float> noughts(256, 0.0F);
  const std::vector<float> equal(256, -0.5F);
  std::vector<float> positive(256);
  for (size_t i = 0; i < positive.size(); ++i) positive[i] = 1.0F + static_cast<float>(i % 7) / 7;
  for (const std::string format : {"Q4_K", "Q5_K", "Q6_K"}) {
    EXPECT_EQ(decoded(format, noughts), noughts) << format;
    for (const float value : decoded(format, equal)) EXPECT_NEAR(value, -0.5F, 0.002F) << format;
    const std::vector<float> found = decoded(format, positive);
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], positive[i], 0.09F) << format;
  }
}

}  // namespace
}  // namespace xkde
