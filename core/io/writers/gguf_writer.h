#ifndef XKDE_CORE_IO_WRITERS_GGUF_WRITER_H_
#define XKDE_CORE_IO_WRITERS_GGUF_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/file.h"
#include "core/io/gguf.h"

namespace xkde {

/// The metadata of a GGUF file that is to be written, in the order in which they are added. No key
/// may come twice.
class GgufMetadata {
 public:
  void text(std::string_view key, std::string_view value);
  void count(std::string_view key, int64_t value);  ///< as uint32; throws DataError beyond it
  void real(std::string_view key, double value);    ///< as fp32
  void flag(std::string_view key, bool value);
  void texts(std::string_view key, std::span<const std::string> values);
  void integers(std::string_view key, std::span<const int32_t> values);
  void reals(std::string_view key, std::span<const float> values);

  const std::string& bytes() const noexcept { return bytes_; }
  uint64_t size() const noexcept { return size_; }

 private:
  void head(std::string_view key, GgufValueType type);
  void array(std::string_view key, GgufValueType type, size_t length);

  std::string bytes_;
  uint64_t size_ = 0;
};

/// A tensor of that file.
struct GgufTensorToWrite {
  std::string name;            ///< GGUF name
  std::vector<int64_t> shape;  ///< outermost first: [rows, columns]; columns fill whole blocks
  std::string_view type;       ///< "F32", "BF16", "Q8_0": one of is_encodable()
};

/// Writes a GGUF file (version 3, little endian, aligned to 32 bytes). It stands under the name
/// PATH.tmp until it is whole. All members throw IoError naming the path, on a full disk too.
/// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFileWriter {
 public:
  /// Writes what comes before the tensors' data, and gives the file its size: what is not written
  /// yet reads as zeros.
  GgufFileWriter(std::filesystem::path path, const GgufMetadata& metadata,
                 std::vector<GgufTensorToWrite> tensors);
  GgufFileWriter(const GgufFileWriter&) = delete;
  GgufFileWriter& operator=(const GgufFileWriter&) = delete;
  ~GgufFileWriter();  ///< removes the file, unless it was published

  /// Sets the whole file's space aside, so that a full disk is found before the tensors are made.
  void reserve() const;
  /// Encodes the values of a tensor, row-major, and writes them.
  void write(size_t tensor, std::span<const float> values) const;
  /// Makes the file durable, and gives it its name.
  void publish();

 private:
  std::filesystem::path path_, temporary_;
  std::vector<GgufTensorToWrite> tensors_;
  std::vector<int64_t> offsets_;  ///< in the file
  int64_t bytes_ = 0;
  FileHandle file_;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_WRITERS_GGUF_WRITER_H_
