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

}  // namespace
}  // namespace xkde
