#include "core/io/float_formats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/io/file.h"

namespace xkde {
namespace {

constexpr std::array<StorageFormat, 9> kFormats = {{{"F64", 1, 8},
                                                    {"F32", 1, 4},
                                                    {"F16", 1, 2},
                                                    {"BF16", 1, 2},
                                                    {"Q4_0", 32, 18},
                                                    {"Q4_1", 32, 20},
                                                    {"Q5_0", 32, 22},
                                                    {"Q5_1", 32, 24},
                                                    {"Q8_0", 32, 34}}};

// Whole blocks, and decoded while the processor's cache still holds what was read.
constexpr size_t kPieceValues = size_t{1} << 17;

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename Stored, typename Convert>
void decode_plain(const std::byte* in, std::span<float> out, const Convert& convert) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = convert(load<Stored>(in + i * sizeof(Stored)));
}

/// Blocks of 32 numbers of 4 or 5 bits: fp16 scale, fp16 minimum (where `has_minimum`), the fifth
/// bits (where `has_fifth`), then 16 bytes whose low halves are the first 16 numbers.
void decode_nibbles(const std::byte* in, std::span<float> out, bool has_minimum, bool has_fifth) {
  const float centre = has_minimum ? 0.0F : (has_fifth ? 16.0F : 8.0F);
  for (size_t block = 0; block < out.size() / 32; ++block) {
    const float scale = float_from_half(load<uint16_t>(in));
    in += 2;
    float minimum = 0.0F;
    if (has_minimum) {
      minimum = float_from_half(load<uint16_t>(in));
      in += 2;
    }
    uint32_t fifth = 0;
    if (has_fifth) {
      fifth = load<uint32_t>(in);
      in += 4;
    }
    float* to = out.data() + block * 32;
    for (uint32_t j = 0; j < 16; ++j) {
      const auto pair = load<uint8_t>(in + j);
      const uint32_t low = (pair & 0x0FU) | (((fifth >> j) & 1U) << 4U);
      const uint32_t high = (pair >> 4U) | (((fifth >> (j + 16U)) & 1U) << 4U);
      to[j] = (static_cast<float>(low) - centre) * scale + minimum;
      to[j + 16] = (static_cast<float>(high) - centre) * scale + minimum;
    }
    in += 16;
  }
}

void decode_q8_0(const std::byte* in, std::span<float> out) {
  for (size_t block = 0; block < out.size() / 32; ++block) {
    const float scale = float_from_half(load<uint16_t>(in));
    in += 2;
    for (size_t j = 0; j < 32; ++j) {
      out[block * 32 + j] = static_cast<float>(load<int8_t>(in + j)) * scale;
    }
    in += 32;
  }
}

/// The format, which holds `values` numbers in `bytes` bytes.
StorageFormat checked_format(std::string_view name, int64_t bytes, int64_t values) {
  const auto known = storage_format(name);
  XKDE_CHECK(known, InternalError, "unknown storage format ", name);
  XKDE_CHECK(values % known->values == 0 && bytes == values / known->values * known->bytes,
             InternalError, name, ": ", bytes, " bytes do not hold ", values, " values");
  return *known;
}

}  // namespace

float float_from_half(uint16_t bits) noexcept {
  const uint32_t sign = (bits & 0x8000U) << 16U;
  const uint32_t exponent = (bits >> 10U) & 0x1FU;
  const uint32_t mantissa = bits & 0x3FFU;
  if (exponent == 0x1F) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13U));
  if (exponent != 0)
    return std::bit_cast<float>(sign | ((exponent + 112U) << 23U) | (mantissa << 13U));
  const float subnormal = std::ldexp(static_cast<float>(mantissa), -24);
  return sign != 0 ? -subnormal : subnormal;
}

float float_from_bfloat16(uint16_t bits) noexcept {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16U);
}

uint16_t bfloat16_from_float(float value) noexcept {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16U) | 0x40U);
  return static_cast<uint16_t>((bits + 0x7FFFU + ((bits >> 16U) & 1U)) >> 16U);
}

std::optional<StorageFormat> storage_format(std::string_view name) {
  const auto found = std::find_if(kFormats.begin(), kFormats.end(),
                                  [&](const StorageFormat& format) { return format.name == name; });
  if (found == kFormats.end()) return std::nullopt;
  return *found;
}

void decode_to_f32(std::string_view format, std::span<const std::byte> in, std::span<float> out) {
  checked_format(format, std::ssize(in), std::ssize(out));
  const std::byte* data = in.data();
  if (format == "F32") {
    if (!in.empty()) std::memcpy(out.data(), data, in.size());
  } else if (format == "F64") {
    decode_plain<double>(data, out, [](double v) { return static_cast<float>(v); });
  } else if (format == "F16") {
    decode_plain<uint16_t>(data, out, float_from_half);
  } else if (format == "BF16") {
    decode_plain<uint16_t>(data, out, float_from_bfloat16);
  } else if (format == "Q8_0") {
    decode_q8_0(data, out);
  } else {
    decode_nibbles(data, out, format.back() == '1', format.starts_with("Q5"));
  }
}

void read_as_f32(const FileHandle& file, const ByteRange& range, std::string_view format,
                 std::span<float> out) {
  const StorageFormat known = checked_format(format, range.end - range.begin, std::ssize(out));
  int64_t offset = range.begin;
  if (format == "F32") {
    file.pread_all({reinterpret_cast<char*>(out.data()), out.size_bytes()}, offset);
    return;
  }
  const auto bytes_of = [&](size_t values) {
    return values / static_cast<size_t>(known.values) * static_cast<size_t>(known.bytes);
  };
  std::vector<char> buffer(bytes_of(std::min(out.size(), kPieceValues)));
  while (!out.empty()) {
    const std::span<float> values = out.first(std::min(out.size(), kPieceValues));
    const std::span<char> piece = std::span(buffer).first(bytes_of(values.size()));
    file.pread_all(piece, offset);
    decode_to_f32(format, std::as_bytes(piece), values);
    offset += std::ssize(piece);
    out = out.subspan(values.size());
  }
}

}  // namespace xkde
