#include "core/io/float_formats.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/base/error.h"
#include "core/io/blocks/block_formats.h"
#include "core/io/file.h"

namespace xkde {
namespace {

constexpr std::array<StorageFormat, 4> kPlainFormats = {
    {{"F32", 1, 4}, {"F16", 1, 2}, {"BF16", 1, 2}, {"F64", 1, 8}}};

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

/// The format, which holds `values` numbers in `bytes` bytes.
StorageFormat checked_format(std::string_view name, int64_t bytes, int64_t values) {
  const auto known = storage_format(name);
  XKDE_CHECK(known, InternalError, "unknown storage format ", name);
  XKDE_CHECK(values % known->values == 0 && bytes == values / known->values * known->bytes,
             InternalError, name, ": ", bytes, " bytes do not hold ", values, " values");
  return *known;
}

}  // namespace

std::optional<StorageFormat> storage_format(std::string_view name) {
  for (const StorageFormat& format : kPlainFormats) {
    if (format.name == name) return format;
  }
  if (const BlockFormat* format = block_format(name)) {
    return StorageFormat{format->name, format->values, format->bytes};
  }
  return std::nullopt;
}

std::string storage_format_names() {
  std::string names;
  for (const StorageFormat& format : kPlainFormats) names += concat(format.name, ", ");
  for (const BlockFormat& format : block_formats()) names += concat(format.name, ", ");
  names.resize(names.size() - 2);
  return names;
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
  } else {
    const BlockFormat& blocks = *block_format(format);
    blocks.decode(data, out.data(), out.size() / static_cast<size_t>(blocks.values));
  }
}

bool is_encodable(std::string_view name) {
  const BlockFormat* blocks = block_format(name);
  return name == "F32" || name == "BF16" || (blocks != nullptr && blocks->encode != nullptr);
}

void encode_from_f32(std::string_view format, std::span<const float> in, std::span<std::byte> out) {
  checked_format(format, std::ssize(out), std::ssize(in));
  XKDE_CHECK(is_encodable(format), InternalError, "no encoder for ", format);
  if (in.empty()) return;
  if (format == "F32") {
    std::memcpy(out.data(), in.data(), in.size_bytes());
  } else if (format == "BF16") {
    for (size_t i = 0; i < in.size(); ++i) {
      const uint16_t bits = bfloat16_from_float(in[i]);
      std::memcpy(out.data() + i * sizeof bits, &bits, sizeof bits);
    }
  } else {
    const BlockFormat& blocks = *block_format(format);
    blocks.encode(in.data(), out.data(), in.size() / static_cast<size_t>(blocks.values));
  }
}

void read_as_f32(const FileHandle& file, const ByteRange& range, std::string_view format,
                 int64_t first, std::span<float> out) {
  const auto known = storage_format(format);
  XKDE_CHECK(known, InternalError, "unknown storage format ", format);
  const int64_t stored = (range.end - range.begin) / known->bytes * known->values;
  XKDE_CHECK(first >= 0 && first + std::ssize(out) <= stored, InternalError, format, ": ", stored,
             " values have no ", out.size(), " from ", first, " on");
  int64_t offset = range.begin + first / known->values * known->bytes;
  if (format == "F32") {
    file.pread_all({reinterpret_cast<char*>(out.data()), out.size_bytes()}, offset);
    return;
  }
  const auto block = static_cast<size_t>(known->values);
  auto skipped = static_cast<size_t>(first % known->values);
  std::vector<char> bytes;
  std::vector<float> whole;
  while (!out.empty()) {
    // A block of which only a part is asked for is decoded apart.
    const bool is_part = skipped > 0 || out.size() < block;
    const size_t decoded = is_part ? block : std::min(out.size() / block * block, kPieceValues);
    bytes.resize(decoded / block * static_cast<size_t>(known->bytes));
    file.pread_all(bytes, offset);
    offset += std::ssize(bytes);
    size_t taken = decoded;
    if (is_part) {
      whole.resize(block);
      decode_to_f32(format, std::as_bytes(std::span(bytes)), whole);
      taken = std::min(out.size(), block - skipped);
      std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(skipped), taken, out.begin());
      skipped = 0;
    } else {
      decode_to_f32(format, std::as_bytes(std::span(bytes)), out.first(decoded));
    }
    out = out.subspan(taken);
  }
}

}  // namespace xkde
