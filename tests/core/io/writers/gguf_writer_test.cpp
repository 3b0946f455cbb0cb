#include "core/io/writers/gguf_writer.h"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/gguf.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::TempFolder;
using testing::HasSubstr;

GgufMetadata some_metadata() {
  GgufMetadata metadata;
  metadata.text("general.architecture", "llama");
  metadata.count("a.count", 7);
  metadata.real("a.real", 0.5);
  metadata.flag("a.flag", true);
  metadata.texts("a.texts", std::vector<std::string>{"one", "", "three"});
  metadata.integers("some.integers", std::vector<int32_t>{-1, 2});
  metadata.reals("some.reals", std::vector<float>{-0.25F, 3.0F});
  return metadata;
}

std::vector<float> read(const GgufFile& file, size_t tensor) {
  size_t numel = 1;
  for (const int64_t extent : file.tensors()[tensor].shape) numel *= static_cast<size_t>(extent);
  std::vector<float> values(numel);
  file.read_f32(file.tensors()[tensor], values);
  return values;
}

TEST(GgufWriter, WhatItWritesIsRead) {
  const TempFolder folder;
  const fs::path path = folder.path() / "m.gguf";
  const std::vector<float> matrix = {1, 2, 3, 4, 5, 6};
  const std::vector<float> vector = {1.00390625F, -2};  // the first is a tie of bf16
  GgufFileWriter writer(path, some_metadata(),
                        {{"matrix", {3, 2}, "F32"}, {"vector", {2}, "BF16"}});
  writer.reserve();
  writer.write(1, vector);
  writer.write(0, matrix);
  EXPECT_FALSE(fs::exists(path)) << "it is not whole yet";
  writer.publish();

  const GgufFile file = GgufFile::open(path);
  EXPECT_EQ(file.integer("a.count"), 7);
  EXPECT_EQ(file.number("a.real"), 0.5);
  EXPECT_TRUE(file.boolean("a.flag"));
  EXPECT_EQ(file.strings("a.texts"), (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ(file.integers("some.integers"), (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(file.numbers("some.reals"), (std::vector<double>{-0.25, 3.0}));
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensors()[0].shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(file.tensors()[1].dtype, "BF16");
  EXPECT_EQ(read(file, 0), matrix);
  EXPECT_EQ(read(file, 1), (std::vector<float>{1.0F, -2}));
  for (const GgufFile::Tensor& tensor : file.tensors()) EXPECT_EQ(tensor.offset % 32, 0U);
  EXPECT_FALSE(fs::exists(path.string() + ".tmp"));
}

TEST(GgufWriter, AFileThatIsNotPublishedIsGone) {
  const TempFolder folder;
  { const GgufFileWriter writer(folder.path() / "m.gguf", some_metadata(), {{"t", {2}, "F32"}}); }
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(GgufWriter, ANumberThatDoesNotFitIsRefused) {
  GgufMetadata metadata;
  EXPECT_THROW(metadata.count("a", -1), DataError);
  EXPECT_THROW(metadata.count("a", int64_t{1} << 32), DataError);
}

TEST(GgufWriter, AFolderThatIsNotThereIsNamed) {
  const std::string message = test::message_of<IoError>([] {
    GgufFileWriter("/proc/nowhere/m.gguf", some_metadata(), {{"t", {2}, "F32"}});
  });
  EXPECT_THAT(message, HasSubstr("/proc/nowhere/m.gguf"));
}

/// In a process of its own.
void write_on_a_full_disk(const fs::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
  setrlimit(RLIMIT_FSIZE, &limit);
  const std::string message = test::message_of<IoError>([&] {
    const GgufFileWriter writer(path, some_metadata(), {{"t", {1000}, "F32"}});
    writer.reserve();
  });
  std::fputs(message.c_str(), stderr);
  _exit(0);
}

TEST(GgufWriter, ADiskWithoutRoomIsAnErrorThatLeavesNothing) {
  const TempFolder folder;
  EXPECT_EXIT(write_on_a_full_disk(folder.path() / "m.gguf"), testing::ExitedWithCode(0),
              "m.gguf.tmp: .*File too large");
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace xkde
