#include "core/io/blocks/block_formats.h"

#include <bit>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/io/gguf.h"

namespace xkde {
namespace {

std::vector<uint32_t> bits_of(const GgufFile& file, const GgufFile::Tensor& tensor) {
  int64_t numel = 1;
  for (const int64_t extent : tensor.shape) numel *= extent;
  std::vector<float> values(static_cast<size_t>(numel));
  file.read_f32(tensor, values);
  std::vector<uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<uint32_t>(value));
  return bits;
}

TEST(BlockFormats, GiveTheBitsOfGgufPy) {
  const GgufFile file = GgufFile::open(XKDE_SOURCE_DIR "/tests/golden/quantized/blocks.gguf");
  std::map<std::string, const GgufFile::Tensor*> tensors;
  for (const GgufFile::Tensor& tensor : file.tensors()) tensors[tensor.name] = &tensor;

  ASSERT_EQ(tensors.size(), 2 * block_formats().size());
  for (const BlockFormat& format : block_formats()) {
    const std::string name(format.name);
    ASSERT_TRUE(tensors.contains(name)) << name;
    EXPECT_EQ(tensors[name]->dtype, name);

    const std::vector<uint32_t> got = bits_of(file, *tensors[name]);

    const std::vector<uint32_t> expected = bits_of(file, *tensors[name + ".f32"]);
    EXPECT_EQ(got.size(), 1024U);
    EXPECT_EQ(got, expected) << name;
  }
}

TEST(BlockFormats, APartIsThatOfTheWhole) {
  const GgufFile file = GgufFile::open(XKDE_SOURCE_DIR "/tests/golden/quantized/blocks.gguf");
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    const std::vector<uint32_t> whole = bits_of(file, tensor);
    for (const size_t first : {0U, 1U, 31U, 32U, 255U, 256U, 700U}) {
      for (const size_t count : {0U, 1U, 32U, 33U, 257U, 324U}) {
        std::vector<float> part(count);
        file.read_f32(tensor, static_cast<int64_t>(first), part);
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(std::bit_cast<uint32_t>(part[i]), whole[first + i])
              << tensor.name << " from " << first << " element " << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace xkde
