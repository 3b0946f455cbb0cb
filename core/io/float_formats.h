#ifndef XKDE_CORE_IO_FLOAT_FORMATS_H_
#define XKDE_CORE_IO_FLOAT_FORMATS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/io/blocks/half_floats.h"

namespace xkde {

class FileHandle;

/// How a file stores numbers: blocks of `values` numbers in `bytes` bytes (1 number where not
/// quantized).
struct StorageFormat {
  std::string_view name;
  int64_t values = 1;
  int64_t bytes = 4;
};
/// "F64", "F32", "F16", "BF16" and block_formats(); nothing for others.
std::optional<StorageFormat> storage_format(std::string_view name);
/// All of them, parted by commas, for messages.
std::string storage_format_names();

/// Stored numbers as fp32. `in` holds exactly the blocks of `out`.
void decode_to_f32(std::string_view format, std::span<const std::byte> in, std::span<float> out);

/// Whether encode_from_f32() knows the format: "F32", "BF16" and the block_formats() that have an
/// encoder.
bool is_encodable(std::string_view name);
/// Finite fp32 numbers as stored ones. `out` holds exactly the blocks of `in`.
void encode_from_f32(std::string_view format, std::span<const float> in, std::span<std::byte> out);

/// Bytes of a file.
struct ByteRange {
  int64_t begin = 0;
  int64_t end = 0;
};
/// The numbers from `first` on that these bytes of a file hold, as many as `out` takes. Only blocks
/// that have one of them are read. A file may become shorter while it is open: what is no longer
/// there is an IoError.
void read_as_f32(const FileHandle& file, const ByteRange& range, std::string_view format,
                 int64_t first, std::span<float> out);

}  // namespace xkde

#endif  // XKDE_CORE_IO_FLOAT_FORMATS_H_
