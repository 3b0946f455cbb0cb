#include "core/io/events/event_file.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

template <typename T>
T value_at(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.substr(at, sizeof value).data(), sizeof value);
  return value;
}

/// Records of a TFRecord file; none where a length or a checksum is wrong.
std::optional<std::vector<std::string>> records_of(std::string_view file) {
  const auto is_sum = [](uint32_t masked, std::string_view bytes) {
    return std::rotl(masked - 0xa282ead8U, 15) == crc32c(bytes);
  };
  std::vector<std::string> records;
  while (!file.empty()) {
    if (file.size() < 16) return std::nullopt;
    const auto length = value_at<uint64_t>(file, 0);
    if (file.size() < 16 + length) return std::nullopt;
    if (!is_sum(value_at<uint32_t>(file, 8), file.substr(0, 8))) return std::nullopt;
    const std::string_view record = file.substr(12, length);
    if (!is_sum(value_at<uint32_t>(file, 12 + length), record)) return std::nullopt;
    records.emplace_back(record);
    file.remove_prefix(16 + length);
  }
  return records;
}

class EventFileTest : public testing::Test {
 protected:
  EventFileTest()
      : folder_(fs::temp_directory_path() / ("xkde_events_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~EventFileTest() override { fs::remove_all(folder_); }

  std::vector<std::string> records() const {
    const fs::path file = fs::directory_iterator(folder_)->path();
    std::ifstream in(file, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    return records_of(bytes).value_or(std::vector<std::string>{});
  }

  /// Of an event: behind its wall time, a key and 8 bytes.
  static std::string behind_time(const std::string& event) { return event.substr(9); }

  fs::path folder_;
};

// RFC 3720, B.4, and the check value of the catalogue of CRC algorithms.
TEST(Crc32c, HasThePublishedValues) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c(""), 0U);
}

TEST_F(EventFileTest, BeginsWithItsVersionAndWhereReadersDropOlderSteps) {
  const EventFile events(folder_, 300);

  EXPECT_THAT(events.path().filename().string(), testing::StartsWith("events.out.tfevents."));
  const std::vector<std::string> all = records();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(behind_time(all[0]), std::string("\x10\x00\x1a\x0d", 4) + "brain.Event:2");
  // Step 300 as a varint, then a session log of status 1.
  EXPECT_EQ(behind_time(all[1]), std::string("\x10\xac\x02\x3a\x02\x08\x01"));
}

TEST_F(EventFileTest, KeepsFiguresInFp32) {
  EventFile events(folder_, 1);
  const std::vector<EventScalar> scalars{{"train/loss", 0.5}, {"eval/loss", -2.0}};

  events.add_scalars(7, scalars);

  const std::vector<std::string> all = records();
  ASSERT_EQ(all.size(), 3U);
  const std::string loss =
      std::string("\x0a\x11\x0a\x0a") + "train/loss" + "\x15" + std::string("\x00\x00\x00\x3f", 4);
  const std::string dev =
      std::string("\x0a\x10\x0a\x09") + "eval/loss" + "\x15" + std::string("\x00\x00\x00\xc0", 4);
  EXPECT_EQ(behind_time(all[2]), std::string("\x10\x07\x2a\x25") + loss + dev);
}

TEST_F(EventFileTest, KeepsATextOfAnyLength) {
  EventFile events(folder_, 1);
  const std::string text(300, 'x');

  events.add_text(2, "answers", text);

  const std::vector<std::string> all = records();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_THAT(all[2], HasSubstr("\x42\xac\x02" + text));
  EXPECT_THAT(all[2], HasSubstr(std::string("\x0a\x04") + "text"));
}

TEST_F(EventFileTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_THROW(EventFile(folder_ / "none", 1), IoError);
}

}  // namespace
}  // namespace xkde
