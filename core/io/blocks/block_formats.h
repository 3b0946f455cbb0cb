#ifndef XKDE_CORE_IO_BLOCKS_BLOCK_FORMATS_H_
#define XKDE_CORE_IO_BLOCKS_BLOCK_FORMATS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace xkde {

/// A format of quantized numbers: blocks of `values` numbers in `bytes` bytes, with the scales
/// that turn them back into real ones.
struct BlockFormat {
  std::string_view name;  ///< as ggml calls it
  int64_t values;
  int64_t bytes;
  /// Decodes `blocks` blocks, every product and sum rounded to fp32 by itself.
  void (*decode)(const std::byte* in, float* out, size_t blocks);
  /// Encodes finite numbers; null where no encoder is known (block_encoders.h).
  void (*encode)(const float* in, std::byte* out, size_t blocks) = nullptr;
};

/// Every block format that can be decoded: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, the K-quants Q2_K to Q6_K,
/// IQ4_NL and IQ4_XS. The values are those of gguf-py's `dequantize`, bit for bit. Source of the
/// layouts: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
std::span<const BlockFormat> block_formats();
/// The one of this name; null: there is none.
const BlockFormat* block_format(std::string_view name);

}  // namespace xkde

#endif  // XKDE_CORE_IO_BLOCKS_BLOCK_FORMATS_H_
