#ifndef XKDE_CORE_IO_SAFETENSORS_H_
#define XKDE_CORE_IO_SAFETENSORS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/io/file.h"

namespace xkde {

/// One .safetensors file, opened read-only. The header is checked as the format
/// demands: no more than 100 MB, tensors contiguous without holes or overlap, the last one ending
/// with the file, sizes equal to shape times type. Source:
/// https://github.com/huggingface/safetensors#format
class SafetensorsFile {
 public:
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    std::string dtype;  ///< "F32", "F16", "BF16", "F64", or an integer type that read_f32() refuses
    uint64_t begin = 0;  ///< byte offsets from the start of the file
    uint64_t end = 0;
  };

  /// Throws MissingInputError, or DataError naming file, tensor, what was expected and what was
  /// found.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::filesystem::path& path() const noexcept { return file_.path(); }
  const std::vector<Tensor>& tensors() const noexcept { return tensors_; }  ///< in file order
  /// Throws DataError where read_f32() would, as the tensor's dtype cannot be decoded.
  void check_readable(const Tensor& tensor) const;
  /// Whether two tensors of one dtype and shape hold the same bytes.
  bool holds_same(const Tensor& mine, const SafetensorsFile& other, const Tensor& its) const;
  /// Row-major fp32 values; `out` has exactly the tensor's number of elements. Throws
  /// IoError where the file has become shorter since it was opened.
  void read_f32(const Tensor& tensor, std::span<float> out) const { read_f32(tensor, 0, out); }
  /// The values from `first` on, as many as `out` takes.
  void read_f32(const Tensor& tensor, int64_t first, std::span<float> out) const;

 private:
  explicit SafetensorsFile(FileHandle file);
  FileHandle file_;
  std::vector<Tensor> tensors_;
};

/// What write_safetensors() is to write: `dtype` is "F32" or "BF16".
struct TensorToWrite {
  std::string name;
  std::vector<int64_t> shape;
};

/// Writes one file (temporary, fsync, rename) with metadata {"format": "pt"}. `read_f32(name, out)`
/// gives the values of one tensor at a time. Throws IoError.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToWrite>& tensors,
                       const std::string& dtype,
                       const std::function<void(const std::string&, std::span<float>)>& read_f32);

}  // namespace xkde

#endif  // XKDE_CORE_IO_SAFETENSORS_H_
