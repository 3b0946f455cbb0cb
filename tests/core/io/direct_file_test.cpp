#include "core/io/direct_file.h"

#include <fstream>
#include <iterator>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/io/page_buffer.h"
#include "core/io/sha256.h"
#include "tests/support/message_of.h"
#include "tests/support/temp_folder.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using test::message_of;
using testing::HasSubstr;

constexpr size_t kMega = size_t{1} << 20;

std::string random_bytes(size_t bytes) {
  std::mt19937 random(static_cast<unsigned>(bytes));
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string bytes_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class DirectFileTest : public testing::Test {
 protected:
  fs::path make(const std::string& content) {
    const fs::path path = folder_.path() / "file";
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  const test::TempFolder folder_;
};

TEST_F(DirectFileTest, WritesAndHashesBytesOfAnyPlaceAndSize) {
  const std::string values = random_bytes(9 * kMega + 4096 + 77);
  for (const size_t shift : {size_t{0}, size_t{1}, size_t{64}}) {
    PageBuffer pages(values.size() / sizeof(float) + 64);  // of whole pages; `shift` spoils that
    char* data = reinterpret_cast<char*>(pages.values().data()) + shift;
    std::copy(values.begin(), values.end(), data);
    for (const size_t head : {size_t{0}, size_t{5}, size_t{4096}, size_t{4 * kMega - 1}}) {
      const std::string frame = random_bytes(head + values.size() + 300);
      const fs::path path = make(frame);

      DirectFile file(path);
      file.keep_until(static_cast<int64_t>(head));
      file.append(data, values.size());
      file.keep_rest();
      const FileRecord record = file.finish();

      const std::string expected =
          frame.substr(0, head) + values + frame.substr(frame.size() - 300);
      EXPECT_TRUE(bytes_of(path) == expected) << "shift " << shift << ", head " << head;
      EXPECT_EQ(record.bytes, static_cast<int64_t>(expected.size()));
      EXPECT_EQ(record.sha256, sha256_hex(expected));
    }
  }
}

TEST_F(DirectFileTest, AnEmptyFileIsAFile) {
  DirectFile file(make(""));
  file.keep_rest();

  EXPECT_EQ(file.finish().sha256, sha256_hex(""));
}

TEST_F(DirectFileTest, AStopRequestEndsIt) {
  const std::string values = random_bytes(8 * kMega);
  std::stop_source stop;
  DirectFile file(make(values), stop.get_token());
  stop.request_stop();

  const auto act = [&] {
    file.append(values.data(), values.size());
    file.finish();
  };

  EXPECT_THAT(message_of<IoError>(act), HasSubstr("file: writing was broken off"));
}

TEST_F(DirectFileTest, AMissingFileIsNamed) {
  EXPECT_THAT(message_of<IoError>([&] { DirectFile file(folder_.path() / "none"); }),
              HasSubstr("none: cannot open: No such file"));
}

}  // namespace
}  // namespace xkde
