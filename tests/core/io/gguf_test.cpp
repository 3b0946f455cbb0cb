#include "core/io/gguf.h"

#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/float_formats.h"
#include "tests/support/byte_file.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

constexpr uint32_t kUint32 = 4;
constexpr uint32_t kString = 8;
constexpr uint32_t kArray = 9;

/// What a small GGUF file is made of; a test damages one of them.
struct Parts {
  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t num_tensors = 1;
  uint64_t num_pairs = 1;
  std::string pairs = ByteFile().string("general.name").number(kString).string("tiny").bytes();
  std::string name = "w";
  uint32_t rank = 2;
  std::vector<uint64_t> shape = {2, 2};  // innermost first
  uint32_t type = 0;
  uint64_t offset = 0;
  std::string data = ByteFile().number(1.0F).number(2.0F).number(3.0F).number(-4.0F).bytes();

  std::string bytes() const {
    ByteFile file;
    file.raw(magic).number(version).number(num_tensors).number(num_pairs).raw(pairs);
    file.string(name).number(rank);
    for (const uint64_t extent : shape) file.number(extent);
    file.number(type).number(offset).pad_to(32).raw(data);
    return file.bytes();
  }
};

std::string error_of(const std::string& bytes) {
  const TemporaryFile file("bad.gguf", bytes);
  try {
    const GgufFile opened = GgufFile::open(file.path());
    for (const GgufFile::Tensor& tensor : opened.tensors()) {
      int64_t numel = 1;
      for (const int64_t extent : tensor.shape) numel *= extent;
      std::vector<float> values(static_cast<size_t>(numel));
      opened.read_f32(tensor, values);
    }
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Gguf, ReadsMetadataAndTensors) {
  const TemporaryFile file("good.gguf", Parts().bytes());

  const GgufFile opened = GgufFile::open(file.path());

  EXPECT_EQ(opened.string("general.name"), "tiny");
  ASSERT_EQ(opened.tensors().size(), 1U);
  EXPECT_EQ(opened.tensors()[0].shape, (std::vector<int64_t>{2, 2}));
  std::vector<float> values(4);
  opened.read_f32(opened.tensors()[0], values);
  EXPECT_EQ(values, (std::vector<float>{1, 2, 3, -4}));
}

TEST(Gguf, SaysWhatIsMissingOrMistyped) {
  const TemporaryFile file("typed.gguf", Parts().bytes());
  const GgufFile opened = GgufFile::open(file.path());

  EXPECT_THROW(opened.integer("general.name"), DataError);
  EXPECT_THROW(opened.string("absent"), DataError);
  EXPECT_THROW(GgufFile::open("/nonexistent.gguf"), MissingInputError);
}

TEST(Gguf, RejectsEveryDamagedHeader) {
  const auto damage = [](auto change) {
    Parts parts;
    change(parts);
    return error_of(parts.bytes());
  };
  using testing::HasSubstr;
  EXPECT_THAT(damage([](Parts& p) { p.magic = "GGML"; }), HasSubstr("expected a GGUF file"));
  EXPECT_THAT(damage([](Parts& p) { p.version = 1; }), HasSubstr("version 2 or 3, found 1"));
  EXPECT_THAT(damage([](Parts& p) { p.num_tensors = UINT64_MAX; }),
              HasSubstr("fits into the file"));
  EXPECT_THAT(damage([](Parts& p) { p.num_pairs = 1ULL << 60U; }), HasSubstr("fits into the file"));
  EXPECT_THAT(damage([](Parts& p) { p.name = ""; }), HasSubstr("expected a tensor name"));
  EXPECT_THAT(damage([](Parts& p) { p.rank = 5; }), HasSubstr("1 to 4 dimensions, found 5"));
  EXPECT_THAT(damage([](Parts& p) { p.shape[0] = 0; }), HasSubstr("positive size"));
  EXPECT_THAT(damage([](Parts& p) {
                p.shape = {1ULL << 40U, 1ULL << 40U};
              }),
              HasSubstr("positive size"));
  EXPECT_THAT(damage([](Parts& p) { p.shape[1] = 3; }), HasSubstr("before the end of the file"));
  EXPECT_THAT(damage([](Parts& p) { p.offset = 32; }), HasSubstr("before the end of the file"));
  EXPECT_THAT(damage([](Parts& p) { p.offset = 8; }), HasSubstr("multiple of 32"));
  EXPECT_THAT(damage([](Parts& p) { p.type = 12; }),
              HasSubstr("expected rows of a multiple of 256 values, found 2"));
  EXPECT_THAT(damage([](Parts& p) { p.type = 16; }),
              HasSubstr("expected one of F32, F16, BF16, F64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, "
                        "Q3_K, Q4_K, Q5_K, Q6_K, IQ4_NL, IQ4_XS, found IQ2_XXS; take another file "
                        "of the model, such as Q4_K_M"));
  EXPECT_THAT(damage([](Parts& p) { p.type = 99; }), HasSubstr("found type 99"));
  EXPECT_THAT(damage([](Parts& p) { p.type = 2; }), HasSubstr("multiple of 32 values"));
  EXPECT_THAT(damage([](Parts& p) {
                p.num_pairs = 2;
                p.pairs += p.pairs;
              }),
              HasSubstr("general.name twice"));
  EXPECT_THAT(
      damage([](Parts& p) {
        p.pairs = ByteFile().string("k").number(kArray).number(kArray).number<uint64_t>(1).bytes();
      }),
      HasSubstr("nested arrays"));
  EXPECT_THAT(
      damage([](Parts& p) {
        p.pairs =
            ByteFile().string("general.alignment").number(kUint32).number<uint32_t>(24).bytes();
      }),
      HasSubstr("power of two, found 24"));
  EXPECT_THAT(
      damage([](Parts& p) { p.pairs = ByteFile().string("k").number<uint32_t>(13).bytes(); }),
      HasSubstr("from 0 to 12, found 13"));
}

/// Else a small file would be a model of any size.
TEST(Gguf, RejectsTensorsThatShareBytes) {
  const auto two = [](uint64_t offset_of_v, uint64_t offset_of_w) {
    ByteFile file;
    file.raw("GGUF").number<uint32_t>(3).number<uint64_t>(2).number<uint64_t>(0);
    for (const auto& [name, offset] : {std::pair("v", offset_of_v), std::pair("w", offset_of_w)}) {
      file.string(name).number<uint32_t>(1).number<uint64_t>(9).number<uint32_t>(0);
      file.number<uint64_t>(offset);
    }
    return error_of(file.pad_to(32).raw(std::string(100, '\0')).bytes());
  };

  EXPECT_EQ(two(0, 64), "no error");
  EXPECT_EQ(two(64, 0), "no error") << "the order of the names is free";
  for (const uint64_t offset : {uint64_t{0}, uint64_t{32}}) {
    EXPECT_THAT(two(0, offset),
                testing::AllOf(testing::HasSubstr("tensor w: expected data from byte "),
                               testing::HasSubstr(" on, where that of tensor v ends, found it")));
  }
}

TEST(Gguf, RejectsEveryTruncation) {
  const std::string whole = Parts().bytes();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(error_of(whole.substr(0, length)), "no error") << length;
  }
}

/// Three files of one model: the first has the metadata and no tensor, as llama.cpp can write it.
class SplitGguf : public testing::Test {
 protected:
  static std::string pair(const char* key, uint32_t value) {
    return ByteFile().string(key).number(kUint32).number(value).bytes();
  }
  static std::string part(uint32_t number, const std::string& tensor, uint32_t count = 3) {
    Parts parts;
    parts.num_pairs = 3;
    parts.pairs =
        pair("split.no", number) + pair("split.count", count) + pair("split.tensors.count", 2);
    parts.name = tensor;
    return parts.bytes();
  }
  static std::string first() {
    ByteFile file;
    file.raw("GGUF").number(uint32_t{3}).number(uint64_t{0}).number(uint64_t{4});
    file.raw(pair("split.no", 0) + pair("split.count", 3) + pair("split.tensors.count", 2));
    file.string("general.name").number(kString).string("tiny");
    return file.bytes();
  }
  std::string error() const {
    try {
      GgufFile::open(folder_.path() / "m-00001-of-00003.gguf");
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  void write(const std::string& second, const std::string& third) const {
    folder_.write("m-00001-of-00003.gguf", first());
    folder_.write("m-00002-of-00003.gguf", second);
    folder_.write("m-00003-of-00003.gguf", third);
  }

  test::TempFolder folder_;
};

TEST_F(SplitGguf, OpensAsOneFile) {
  write(part(1, "a"), part(2, "b"));

  const GgufFile file = GgufFile::open(folder_.path() / "m-00001-of-00003.gguf");

  EXPECT_EQ(file.string("general.name"), "tiny");
  EXPECT_EQ(file.files().size(), 3U);
  ASSERT_EQ(file.tensors().size(), 2U);
  for (const GgufFile::Tensor& tensor : file.tensors()) {
    std::vector<float> values(4);
    file.read_f32(tensor, values);
    EXPECT_EQ(values, (std::vector<float>{1, 2, 3, -4})) << tensor.name;
  }
}

TEST_F(SplitGguf, SaysWhichFileIsMissingOrAnother) {
  using testing::HasSubstr;
  write(part(1, "a"), part(2, "a"));
  EXPECT_THAT(error(), HasSubstr("m-00003-of-00003.gguf: tensor a: expected it in one file only"));
  write(part(2, "a"), part(2, "b"));
  EXPECT_THAT(error(), HasSubstr("m-00002-of-00003.gguf: split.no: expected 1, found 2"));
  write(part(1, "a", 4), part(2, "b"));
  EXPECT_THAT(error(), HasSubstr("m-00002-of-00003.gguf: split.count: expected 3, as in the first "
                                 "file, found 4"));
  std::filesystem::remove(folder_.path() / "m-00002-of-00003.gguf");
  EXPECT_THAT(error(), HasSubstr("m-00002-of-00003.gguf"));
  folder_.write("m-00001-of-00003.gguf", part(1, "a"));
  EXPECT_THAT(error(), HasSubstr("expected the first file of a split model, NAME-00001-of-00003"
                                 ".gguf, found one whose split.no is 1"));
  folder_.write("m-00001-of-00003.gguf", part(0, "a", 4));
  EXPECT_THAT(error(), HasSubstr("expected a name that ends with -00001-of-00004.gguf"));
}

std::vector<float> decode(const char* format, const std::string& bytes) {
  std::vector<float> out(32);
  decode_to_f32(format, {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()}, out);
  return out;
}

// fp16 0.5 is 0x3800, 1.0 is 0x3C00, -2.0 is 0xC000.
TEST(FloatFormats, DecodeTheBlocksOfGgml) {
  const auto q4_0 =
      decode("Q4_0", ByteFile().number<uint16_t>(0x3800).raw(std::string(16, '\x1F')).bytes());
  EXPECT_EQ(q4_0[0], (15 - 8) * 0.5F);
  EXPECT_EQ(q4_0[16], (1 - 8) * 0.5F);

  const auto q4_1 = decode("Q4_1", ByteFile()
                                       .number<uint16_t>(0x3800)
                                       .number<uint16_t>(0xC000)
                                       .raw(std::string(16, '\x2A'))
                                       .bytes());
  EXPECT_EQ(q4_1[3], 10 * 0.5F - 2.0F);
  EXPECT_EQ(q4_1[19], 2 * 0.5F - 2.0F);

  const auto q5_0 = decode("Q5_0", ByteFile()
                                       .number<uint16_t>(0x3C00)
                                       .number<uint32_t>(0x00010001U)
                                       .raw(std::string(16, '\x00'))
                                       .bytes());
  EXPECT_EQ(q5_0[0], 0.0F);
  EXPECT_EQ(q5_0[1], -16.0F);
  EXPECT_EQ(q5_0[16], 0.0F);

  const auto q8_0 =
      decode("Q8_0", ByteFile().number<uint16_t>(0x3800).raw(std::string(32, '\xFF')).bytes());
  EXPECT_EQ(q8_0[31], -0.5F);
}

TEST(FloatFormats, ConvertHalfAndBfloat16) {
  EXPECT_EQ(float_from_half(0x3C00), 1.0F);
  EXPECT_EQ(float_from_half(0x0001), 0x1.0p-24F);
  EXPECT_EQ(float_from_half(0xFBFF), -65504.0F);
  EXPECT_TRUE(float_from_half(0x7C00) > 1e38F);
  EXPECT_EQ(bfloat16_from_float(1.0F), 0x3F80);
  EXPECT_EQ(bfloat16_from_float(0x1.01p0F), 0x3F80);  // a tie goes to the even neighbour
  EXPECT_EQ(bfloat16_from_float(0x1.03p0F), 0x3F82);
  EXPECT_EQ(float_from_bfloat16(0x4049), 3.140625F);
}

}  // namespace
}  // namespace xkde
