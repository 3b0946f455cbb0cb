#include "core/io/blocks/block_formats.h"

#include <array>
#include <cstring>

#include "core/io/blocks/block_encoders.h"
#include "core/io/blocks/half_floats.h"

namespace xkde {
namespace {

constexpr size_t kSmallBlock = 32;
constexpr size_t kLargeBlock = 256;

/// Blocks of 32 numbers of 4 or 5 bits: fp16 scale, fp16 minimum (where `has_minimum`), the fifth
/// bits (where `has_fifth`), then 16 bytes whose low halves are the first 16 numbers.
template <bool has_minimum, bool has_fifth>
void decode_nibbles(const uint8_t* in, float* out) {
  constexpr int kCentre = has_minimum ? 0 : (has_fifth ? 16 : 8);
  const float scale = half_at(in);
  const float minimum = has_minimum ? half_at(in + 2) : 0.0F;
  const uint8_t* rest = in + (has_minimum ? 4 : 2);
  uint32_t fifth = 0;
  if (has_fifth) std::memcpy(&fifth, rest, sizeof fifth);
  const uint8_t* pairs = rest + (has_fifth ? 4 : 0);
  const auto value = [&](uint32_t nibble, uint32_t i) {
    const uint32_t stored = nibble | (((fifth >> i) & 1U) << 4U);
    const float step = static_cast<float>(static_cast<int>(stored) - kCentre) * scale;
    // Adding a zero would turn a negative zero into a positive one.
    return has_minimum ? step + minimum : step;
  };
  for (uint32_t i = 0; i < 16; ++i) {
    out[i] = value(pairs[i] & 0x0FU, i);
    out[i + 16] = value(static_cast<uint32_t>(pairs[i]) >> 4U, i + 16);
  }
}

/// fp16 scale, 32 signed bytes.
void decode_q8_0(const uint8_t* in, float* out) {
  const float scale = half_at(in);
  for (size_t i = 0; i < kSmallBlock; ++i) {
    out[i] = static_cast<float>(static_cast<int8_t>(in[2 + i])) * scale;
  }
}

// The 256 numbers of a large block are 16 groups of 16 or 8 groups of 32, each with a scale of its
// own. Numbers of two bits lie 128 to 32 bytes: byte l of them holds l, 32 + l, 64 + l and 96 + l.

/// Where a group of 16 of the two-bit numbers lies: its bytes begin at `first`.
struct Quarter {
  explicit Quarter(size_t group)
      : first(group / 8 * 32 + group % 2 * 16), shift(static_cast<unsigned>(group % 8 / 2 * 2)) {}
  size_t first;
  unsigned shift;
};

/// 16 bytes of a 4-bit scale and a 4-bit minimum, 64 bytes of two-bit numbers, the fp16 scale of
/// the scales, that of the minima.
void decode_q2_k(const uint8_t* in, float* out) {
  const float scale = half_at(in + 80);
  const float minimum = half_at(in + 82);
  for (size_t group = 0; group < 16; ++group) {
    const float step = scale * static_cast<float>(in[group] & 0x0FU);
    const float base = minimum * static_cast<float>(in[group] >> 4U);
    const Quarter quarter(group);
    const uint8_t* low = in + 16 + quarter.first;
    for (size_t i = 0; i < 16; ++i) {
      out[group * 16 + i] = step * static_cast<float>((low[i] >> quarter.shift) & 3U) - base;
    }
  }
}

/// 32 bytes of third bits, 64 bytes of two-bit numbers, 16 scales of 6 bits (8 bytes of their low
/// halves, 4 bytes of their high two bits), fp16 scale. A third bit that is not set takes 4 away.
void decode_q3_k(const uint8_t* in, float* out) {
  const uint8_t* scales = in + 96;
  const float scale = half_at(in + 108);
  for (size_t group = 0; group < 16; ++group) {
    const auto nibble = (static_cast<uint32_t>(scales[group % 8]) >> (group / 8 * 4)) & 0x0FU;
    const auto high = (static_cast<uint32_t>(scales[8 + group % 4]) >> (group / 4 * 2)) & 3U;
    const float step = scale * static_cast<float>(static_cast<int>(nibble | (high << 4U)) - 32);
    const Quarter quarter(group);
    const uint8_t* low = in + 32 + quarter.first;
    const uint8_t* third = in + group % 2 * 16;
    const auto bit = static_cast<unsigned>(group / 2);
    for (size_t i = 0; i < 16; ++i) {
      const int missing = 4 - static_cast<int>((third[i] >> bit) & 1U) * 4;
      const int number = static_cast<int>((low[i] >> quarter.shift) & 3U) - missing;
      out[group * 16 + i] = step * static_cast<float>(number);
    }
  }
}

/// Scale and minimum of one of 8 groups, 6 bits each, from 12 bytes: the low six bits of four
/// scales, of four minima, then the low halves of the other four of both, whose high bits are those
/// that the first eight bytes have left.
struct PackedScale {
  PackedScale(const uint8_t* packed, size_t group) {
    if (group < 4) {
      scale = packed[group] & 0x3FU;
      minimum = packed[group + 4] & 0x3FU;
      return;
    }
    const uint32_t halves = packed[group + 4];
    scale = (halves & 0x0FU) | ((static_cast<uint32_t>(packed[group - 4]) >> 6U) << 4U);
    minimum = (halves >> 4U) | ((static_cast<uint32_t>(packed[group]) >> 6U) << 4U);
  }
  uint32_t scale;
  uint32_t minimum;
};

/// fp16 scale of the scales and of the minima, 12 bytes of PackedScale, the fifth bits (32 bytes,
/// where `has_fifth`), then for each pair of groups 32 bytes whose low halves are the first group.
template <bool has_fifth>
void decode_q45_k(const uint8_t* in, float* out) {
  const float scale = half_at(in);
  const float minimum = half_at(in + 2);
  const uint8_t* fifth = in + 16;
  const uint8_t* pairs = in + (has_fifth ? 48 : 16);
  for (size_t group = 0; group < 8; ++group) {
    const PackedScale packed(in + 4, group);
    const float step = scale * static_cast<float>(packed.scale);
    const float base = minimum * static_cast<float>(packed.minimum);
    const uint8_t* pair = pairs + group / 2 * 32;
    const auto shift = static_cast<unsigned>(group % 2 * 4);
    for (size_t i = 0; i < 32; ++i) {
      uint32_t number = (pair[i] >> shift) & 0x0FU;
      if (has_fifth) number |= ((fifth[i] >> group) & 1U) << 4U;
      out[group * 32 + i] = step * static_cast<float>(number) - base;
    }
  }
}

/// 128 bytes of low halves, 64 bytes of the high two bits, 16 signed scales, fp16 scale of them.
/// Byte l of the 64 bytes for 128 numbers holds the low halves of l and 64 + l.
void decode_q6_k(const uint8_t* in, float* out) {
  const float scale = half_at(in + 208);
  for (size_t group = 0; group < 16; ++group) {
    const float step = scale * static_cast<float>(static_cast<int8_t>(in[192 + group]));
    const Quarter quarter(group);
    const uint8_t* low = in + group / 8 * 64 + group % 4 * 16;
    const uint8_t* high = in + 128 + quarter.first;
    const auto shift = static_cast<unsigned>(group % 8 / 4 * 4);
    for (size_t i = 0; i < 16; ++i) {
      const uint32_t number =
          ((low[i] >> shift) & 0x0FU) | (((high[i] >> quarter.shift) & 3U) << 4U);
      out[group * 16 + i] = step * static_cast<float>(static_cast<int>(number) - 32);
    }
  }
}

/// What the 16 numbers of IQ4_NL and IQ4_XS stand for.
constexpr std::array<float, 16> kUnevenSteps = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                1,    13,   25,  38,  53,  69,  89,  113};

/// 16 bytes whose low halves are the first 16 of 32 numbers.
void decode_uneven(const uint8_t* pairs, float step, float* out) {
  for (size_t i = 0; i < 16; ++i) {
    out[i] = step * kUnevenSteps[pairs[i] & 0x0FU];
    out[i + 16] = step * kUnevenSteps[pairs[i] >> 4U];
  }
}

/// fp16 scale, 16 bytes of numbers.
void decode_iq4_nl(const uint8_t* in, float* out) { decode_uneven(in + 2, half_at(in), out); }

/// fp16 scale, the high two bits of 8 scales, their low halves, then 16 bytes of numbers a group.
void decode_iq4_xs(const uint8_t* in, float* out) {
  const float scale = half_at(in);
  uint16_t high;
  std::memcpy(&high, in + 2, sizeof high);
  for (size_t group = 0; group < 8; ++group) {
    const auto nibble = (static_cast<uint32_t>(in[4 + group / 2]) >> (group % 2 * 4)) & 0x0FU;
    const auto top = (static_cast<uint32_t>(high) >> (group * 2)) & 3U;
    const float step = scale * static_cast<float>(static_cast<int>(nibble | (top << 4U)) - 32);
    decode_uneven(in + 8 + group * 16, step, out + group * 32);
  }
}

template <void (*decode)(const uint8_t*, float*), size_t values, size_t bytes>
void decode_blocks(const std::byte* in, float* out, size_t blocks) {
  const auto* from = reinterpret_cast<const uint8_t*>(in);
  for (size_t i = 0; i < blocks; ++i) decode(from + i * bytes, out + i * values);
}

template <void (*encode)(const float*, uint8_t*), size_t values, size_t bytes>
void encode_blocks(const float* in, std::byte* out, size_t blocks) {
  auto* to = reinterpret_cast<uint8_t*>(out);
  for (size_t i = 0; i < blocks; ++i) encode(in + i * values, to + i * bytes);
}

template <void (*decode)(const uint8_t*, float*), size_t values, size_t bytes>
constexpr BlockFormat format(std::string_view name,
                             void (*encode)(const float*, std::byte*, size_t) = nullptr) {
  return {name, values, bytes, decode_blocks<decode, values, bytes>, encode};
}

constexpr std::array<BlockFormat, 12> kFormats = {
    format<decode_nibbles<false, false>, kSmallBlock, 18>(
        "Q4_0", encode_blocks<encode_q4_0, kSmallBlock, 18>),
    format<decode_nibbles<true, false>, kSmallBlock, 20>("Q4_1"),
    format<decode_nibbles<false, true>, kSmallBlock, 22>(
        "Q5_0", encode_blocks<encode_q5_0, kSmallBlock, 22>),
    format<decode_nibbles<true, true>, kSmallBlock, 24>(
        "Q5_1", encode_blocks<encode_q5_1, kSmallBlock, 24>),
    format<decode_q8_0, kSmallBlock, 34>("Q8_0", encode_blocks<encode_q8_0, kSmallBlock, 34>),
    format<decode_q2_k, kLargeBlock, 84>("Q2_K"),
    format<decode_q3_k, kLargeBlock, 110>("Q3_K"),
    format<decode_q45_k<false>, kLargeBlock, 144>("Q4_K",
                                                  encode_blocks<encode_q4_k, kLargeBlock, 144>),
    format<decode_q45_k<true>, kLargeBlock, 176>("Q5_K",
                                                 encode_blocks<encode_q5_k, kLargeBlock, 176>),
    format<decode_q6_k, kLargeBlock, 210>("Q6_K", encode_blocks<encode_q6_k, kLargeBlock, 210>),
    format<decode_iq4_nl, kSmallBlock, 18>("IQ4_NL"),
    format<decode_iq4_xs, kLargeBlock, 136>("IQ4_XS"),
};

}  // namespace

std::span<const BlockFormat> block_formats() { return kFormats; }

const BlockFormat* block_format(std::string_view name) {
  for (const BlockFormat& format : kFormats) {
    if (format.name == name) return &format;
  }
  return nullptr;
}

}  // namespace xkde
