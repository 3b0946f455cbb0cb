#ifndef XKDE_CORE_IO_GGUF_H_
#define XKDE_CORE_IO_GGUF_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace xkde {

/// Value types of metadata, by the numbers that files have for them.
enum class GgufValueType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

/// Names of ggml's tensor types by their numbers; empty where a number is retired.
inline constexpr std::array<std::string_view, 31> kGgufTensorTypes = {
    "F32",     "F16",    "Q4_0",    "Q4_1",  "",       "",      "Q5_0",  "Q5_1",
    "Q8_0",    "Q8_1",   "Q2_K",    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K",  "Q8_K",
    "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS",
    "I8",      "I16",    "I32",     "I64",   "F64",    "IQ1_M", "BF16"};

/// Tensors begin at multiples of it, unless "general.alignment" says another.
inline constexpr uint64_t kGgufAlignment = 32;

/// A GGUF file (version 2 or 3, little endian), opened read-only: metadata and tensors. Every
/// count, length and offset is checked against the file's size before use. A model that was split
/// is opened by its first file, NAME-00001-of-0000N.gguf, which has the metadata; the others lie
/// beside it. Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
class GgufFile {
 public:
  using Value = std::variant<uint64_t, int64_t, double, bool, std::string, std::vector<std::string>,
                             std::vector<int64_t>, std::vector<double>>;
  struct Tensor {
    std::string name;            ///< GGUF name, e.g. "blk.0.attn_q.weight"
    std::vector<int64_t> shape;  ///< outermost first (reverse of the file's order): [rows, columns]
    std::string dtype;           ///< "F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", ...
    uint64_t offset = 0;         ///< of the data, from the start of its file
    size_t file = 0;             ///< of files()
  };

  /// Throws MissingInputError, or DataError naming file, place, what was expected and what was
  /// found.
  static GgufFile open(const std::filesystem::path& path);
  GgufFile(GgufFile&&) noexcept;
  GgufFile& operator=(GgufFile&&) noexcept;
  ~GgufFile();

  const std::filesystem::path& path() const;
  std::vector<std::filesystem::path> files() const;  ///< path() first
  bool has(const std::string& key) const;
  /// Typed metadata. The first form throws DataError when `key` is missing; both when its type is
  /// another.
  int64_t integer(const std::string& key) const;
  double number(const std::string& key) const;
  bool boolean(const std::string& key) const;
  const std::string& string(const std::string& key) const;
  const std::vector<std::string>& strings(const std::string& key) const;
  const std::vector<int64_t>& integers(const std::string& key) const;
  const std::vector<double>& numbers(const std::string& key) const;

  const std::vector<Tensor>& tensors() const;  ///< of all files
  /// Throws DataError where read_f32() would, as the tensor's dtype cannot be decoded.
  void check_readable(const Tensor& tensor) const;
  /// The tensor's values as fp32, row-major; `out` has exactly its number of elements.
  void read_f32(const Tensor& tensor, std::span<float> out) const { read_f32(tensor, 0, out); }
  /// The values from `first` on, as many as `out` takes.
  void read_f32(const Tensor& tensor, int64_t first, std::span<float> out) const;
  /// The tensor's data as it lies there; `out` has exactly its number of bytes.
  void read_bytes(const Tensor& tensor, std::span<std::byte> out) const;

 private:
  struct Impl;
  explicit GgufFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_GGUF_H_
