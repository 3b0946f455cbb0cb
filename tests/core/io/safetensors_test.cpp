#include "core/io/safetensors.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/byte_file.h"

namespace xkde {
namespace {

std::string file_of(const std::string& header, size_t data_bytes) {
  return ByteFile()
      .number<uint64_t>(header.size())
      .raw(header)
      .raw(std::string(data_bytes, '\0'))
      .bytes();
}

std::string error_of(const std::string& bytes) {
  const TemporaryFile file("bad.safetensors", bytes);
  try {
    const SafetensorsFile opened = SafetensorsFile::open(file.path());
    for (const SafetensorsFile::Tensor& tensor : opened.tensors()) {
      std::vector<float> values(4);
      opened.read_f32(tensor, values);
    }
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets +
         "}}";
}

TEST(Safetensors, WhatIsWrittenComesBack) {
  const TemporaryFile file("round.safetensors", "");
  const auto values_of = [](const std::string& name, std::span<float> out) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<float>(i) + (name == "b" ? 0.5F : 0.0F);
  };

  for (const char* dtype : {"F32", "BF16"}) {
    write_safetensors(file.path(), {{"b", {2, 3}}, {"a", {4}}}, dtype, values_of);
    const SafetensorsFile opened = SafetensorsFile::open(file.path());
    ASSERT_EQ(opened.tensors().size(), 2U);
    for (const SafetensorsFile::Tensor& tensor : opened.tensors()) {
      std::vector<float> got(tensor.name == "b" ? 6 : 4), expected(got.size());
      opened.read_f32(tensor, got);
      values_of(tensor.name, expected);
      EXPECT_EQ(got, expected) << dtype;
    }
  }
}

TEST(Safetensors, RejectsEveryMalformedHeader) {
  using testing::HasSubstr;
  EXPECT_THAT(error_of("abc"), HasSubstr("at least 8 bytes, found 3"));
  EXPECT_THAT(error_of(ByteFile().number<uint64_t>(1ULL << 40U).raw("{}").bytes()),
              HasSubstr("header length"));
  EXPECT_THAT(error_of(file_of("[]", 0)), HasSubstr("begins with '{'"));
  EXPECT_THAT(error_of(file_of("{\"w\":1}", 0)), HasSubstr("expected an object"));
  EXPECT_THAT(error_of(file_of(R"({"w":{"dtype":"F32","shape":[4]}})", 16)),
              HasSubstr("key data_offsets"));
  EXPECT_THAT(error_of(file_of(entry("F33", "[4]", "[0,16]"), 16)),
              HasSubstr("known type, found F33"));
  EXPECT_THAT(error_of(file_of(entry("I32", "[4]", "[0,16]"), 16)),
              HasSubstr("F32, F16, BF16 or F64, found I32"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[5]", "[0,16]"), 16)), HasSubstr("expected 20 bytes"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[-4]", "[0,16]"), 16)),
              HasSubstr("non-negative integer"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[4294967296,4294967296]", "[0,16]"), 16)),
              HasSubstr("fits into memory"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[4]", "[4,20]"), 20)),
              HasSubstr("begin at 0 (no holes, no overlap), found 4"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[4]", "[0,16]"), 20)),
              HasSubstr("expected 16 bytes of data, found 20"));
  EXPECT_THAT(error_of(file_of(entry("F32", "[4]", "[0,16]"), 12)),
              HasSubstr("expected 16 bytes of data, found 12"));
  EXPECT_THAT(error_of(file_of(R"({"w":1,"w":2})", 0)), HasSubstr("duplicate key"));
  EXPECT_THAT(error_of(file_of(R"({"__metadata__":{"a":1}})", 0)), HasSubstr("object of strings"));
}

TEST(Safetensors, AFileThatBecomesShorterWhileItIsOpenIsNamed) {
  const std::vector<float> values(300'000, 1.5F);
  const TemporaryFile file("shrinks.safetensors", "");
  for (const char* dtype : {"F32", "BF16"}) {
    write_safetensors(file.path(), {{"w", {300'000}}}, dtype,
                      [&](const std::string&, std::span<float> out) {
                        std::copy(values.begin(), values.end(), out.begin());
                      });
    const SafetensorsFile opened = SafetensorsFile::open(file.path());
    std::vector<float> got(values.size());
    opened.read_f32(opened.tensors().front(), got);
    EXPECT_EQ(got, values) << dtype;

    std::filesystem::resize_file(file.path(), 5000);

    try {
      opened.read_f32(opened.tensors().front(), got);
      ADD_FAILURE() << "no error";
    } catch (const IoError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("shrinks.safetensors: expected "));
      EXPECT_THAT(error.what(), testing::HasSubstr("bytes, found 5000"));
    }
  }
}

TEST(Safetensors, AMissingFileIsMissingInput) {
  EXPECT_THROW(SafetensorsFile::open("/nonexistent.safetensors"), MissingInputError);
}

}  // namespace
}  // namespace xkde
