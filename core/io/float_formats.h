#ifndef XKDE_CORE_IO_FLOAT_FORMATS_H_
#define XKDE_CORE_IO_FLOAT_FORMATS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace xkde {

class FileHandle;

float float_from_half(uint16_t bits) noexcept;
float float_from_bfloat16(uint16_t bits) noexcept;
/// Rounds to nearest, ties to even; NaN stays NaN.
uint16_t bfloat16_from_float(float value) noexcept;

/// How a file stores numbers: blocks of `values` numbers in `bytes` bytes (1 number where not
/// quantized).
struct StorageFormat {
  std::string_view name;
  int64_t values = 1;
  int64_t bytes = 4;
};
/// "F64", "F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"; nothing for others.
std::optional<StorageFormat> storage_format(std::string_view name);

/// Stored numbers as fp32. `in` holds exactly the blocks of `out`.
/// Source of the block layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
void decode_to_f32(std::string_view format, std::span<const std::byte> in, std::span<float> out);

/// Bytes of a file.
struct ByteRange {
  int64_t begin = 0;
  int64_t end = 0;
};
/// decode_to_f32() of these bytes of a file. A file may become shorter while it is open: what is no
/// longer there is an IoError.
void read_as_f32(const FileHandle& file, const ByteRange& range, std::string_view format,
                 std::span<float> out);

}  // namespace xkde

#endif  // XKDE_CORE_IO_FLOAT_FORMATS_H_
