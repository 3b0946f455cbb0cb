#include "core/io/events/event_file.h"

#include <array>
#include <bit>
#include <chrono>
#include <cstring>

#include <unistd.h>

#include "core/base/error.h"
#include "core/base/host_name.h"

namespace xkde {
namespace {

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr std::array<uint32_t, 256> kCrcTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0);
    table[i] = value;
  }
  return table;
}();

template <typename T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// TFRecord keeps checksums so, as sums over data with sums in it are weak.
uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xa282ead8U; }

/// How a field of a protocol buffer is laid out.
enum class Wire : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string key_of(uint32_t field, Wire wire) {
  return varint(field << 3 | static_cast<uint32_t>(wire));
}

std::string number_field(uint32_t field, int64_t value) {
  return key_of(field, Wire::kVarint) + varint(static_cast<uint64_t>(value));
}

std::string bytes_field(uint32_t field, std::string_view bytes) {
  return key_of(field, Wire::kBytes).append(varint(bytes.size())).append(bytes);
}

// Numbers of the fields of tensorflow's event.proto, summary.proto and tensor.proto.
constexpr uint32_t kEventWallTime = 1, kEventStep = 2, kEventFileVersion = 3, kEventSummary = 5,
                   kEventSessionLog = 7;
constexpr uint32_t kSessionStatus = 1, kSummaryValue = 1;
constexpr uint32_t kValueTag = 1, kValueSimple = 2, kValueTensor = 8, kValueMetadata = 9;
constexpr uint32_t kMetadataPlugin = 1, kPluginName = 1;
constexpr uint32_t kTensorDtype = 1, kTensorShape = 2, kTensorStrings = 8;
constexpr int64_t kSessionStart = 1, kDtypeString = 7;
constexpr const char* kVersion = "brain.Event:2";

std::filesystem::path name_of_now() {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return concat("events.out.tfevents.", seconds.count(), ".", host_name(), ".", ::getpid());
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t sum = 0xffffffffU;
  for (const char byte : bytes)
    sum = kCrcTable[(sum ^ static_cast<unsigned char>(byte)) & 0xff] ^ (sum >> 8);
  return sum ^ 0xffffffffU;
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t first_step)
    : file_(FileHandle::open(folder / name_of_now(), OpenMode::kAppend)) {
  write(0, bytes_field(kEventFileVersion, kVersion));
  write(first_step, bytes_field(kEventSessionLog, number_field(kSessionStatus, kSessionStart)));
}

void EventFile::add_scalars(int64_t step, std::span<const EventScalar> scalars) {
  std::string summary;
  for (const EventScalar& scalar : scalars) {
    summary += bytes_field(kSummaryValue, bytes_field(kValueTag, scalar.tag) +
                                              key_of(kValueSimple, Wire::kFixed32) +
                                              bytes_of(static_cast<float>(scalar.value)));
  }
  write(step, bytes_field(kEventSummary, summary));
}

void EventFile::add_text(int64_t step, std::string_view tag, std::string_view text) {
  const std::string plugin = bytes_field(kMetadataPlugin, bytes_field(kPluginName, "text"));
  const std::string tensor = number_field(kTensorDtype, kDtypeString) +
                             bytes_field(kTensorShape, "") + bytes_field(kTensorStrings, text);
  const std::string value = bytes_field(kValueTag, tag) + bytes_field(kValueMetadata, plugin) +
                            bytes_field(kValueTensor, tensor);
  write(step, bytes_field(kEventSummary, bytes_field(kSummaryValue, value)));
}

void EventFile::write(int64_t step, std::string_view field) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string event = key_of(kEventWallTime, Wire::kFixed64) + bytes_of(now) +
                            number_field(kEventStep, step) + std::string(field);
  const std::string length = bytes_of(static_cast<uint64_t>(event.size()));
  file_.write_all(length + bytes_of(masked_crc(length)) + event + bytes_of(masked_crc(event)));
}

}  // namespace xkde
