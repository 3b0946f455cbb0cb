#ifndef XKDE_CORE_IO_HDF5_FILE_H_
#define XKDE_CORE_IO_HDF5_FILE_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xkde {

/// An identifier of the HDF5 library, closed by its destructor; move-only. -1 is none.
class Hdf5Handle {
 public:
  using Close = int (*)(int64_t id);
  Hdf5Handle() = default;
  Hdf5Handle(int64_t id, Close close) noexcept : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  int64_t id() const noexcept { return id_; }
  /// Gives the identifier away: the caller closes it.
  int64_t release() noexcept { return std::exchange(id_, -1); }

 private:
  int64_t id_ = -1;
  Close close_ = nullptr;
};

/// What a file is used for, and with it the kind of its errors: IoError, CheckpointError or
/// DataError.
enum class Hdf5Use { kWriting, kReadingCheckpoint, kReadingData };

/// What an error message names, and the kind of error.
struct Hdf5Origin {
  std::string place;  ///< file, or file and dataset
  Hdf5Use use = Hdf5Use::kReadingCheckpoint;
};

/// Numbers of a dataset, stored little endian.
enum class Hdf5Type { kFloat32, kFloat64, kInt64, kUint8 };

/// Numbers of any shape. Ranges count elements of the first dimension: of a matrix, its rows.
class Hdf5Dataset {
 public:
  const std::vector<int64_t>& shape() const noexcept { return shape_; }
  int64_t numel() const noexcept;
  /// Writes or reads as many elements of the first dimension as `values` are, from `first` on.
  void write(int64_t first, std::span<const float> values);
  void write(int64_t first, std::span<const double> values);
  void write(int64_t first, std::span<const int64_t> values);
  void write(int64_t first, std::span<const uint8_t> values);
  void read(int64_t first, std::span<float> values) const;
  void read(int64_t first, std::span<double> values) const;
  void read(int64_t first, std::span<int64_t> values) const;
  void read(int64_t first, std::span<uint8_t> values) const;
  /// Whether its numbers are stored as `type`.
  bool stores(Hdf5Type type) const;
  /// Where the values of a contiguous dataset lie in the file, in bytes from its start.
  int64_t file_offset() const;

  void set_attribute(const std::string& name, const std::string& value);
  void set_attribute(const std::string& name, int64_t value);
  std::string string_attribute(const std::string& name) const;
  int64_t integer_attribute(const std::string& name) const;

 private:
  friend class Hdf5File;
  Hdf5Dataset(Hdf5Handle handle, Hdf5Origin origin);
  /// The part of the shape that starts at `first` of the first dimension and holds `numel` numbers.
  std::vector<int64_t> part(int64_t first, size_t numel, const char* action) const;
  void write_part(int64_t first, size_t numel, Hdf5Type type, const void* values);
  void read_part(int64_t first, size_t numel, Hdf5Type type, void* values) const;
  Hdf5Handle handle_;
  Hdf5Origin origin_;
  std::vector<int64_t> shape_;
};

/// A box of a virtual dataset: elements [start, start + count) in each dimension, in row-major
/// order, are the source's elements from `source_first` on.
struct Hdf5Mapping {
  std::string source_file;  ///< beside the file that holds the virtual dataset
  std::string source_dataset;
  int64_t source_numel = 0;  ///< of the whole one-dimensional source
  int64_t source_first = 0;
  std::vector<int64_t> start, count;
};

/// An HDF5 file of our own: the newest file format (its metadata carry checksums), no file locks,
/// no times inside (equal content gives equal bytes), and the library's errors as exceptions in
/// place of text on standard error. Files of others are not to be opened with it: the library
/// crashes on some malformed ones. Threads may use files of their own at the same time.
class Hdf5File {
 public:
  /// Creates a file; fails when the path exists.
  static Hdf5File create(const std::filesystem::path& path);
  /// Opens read-only.
  static Hdf5File open(const std::filesystem::path& path,
                       Hdf5Use use = Hdf5Use::kReadingCheckpoint);

  void create_group(const std::string& name);
  /// Gives an object of the file a second name, in a group that is there.
  void link(const std::string& name, const std::string& second);
  /// A one-dimensional contiguous dataset of fp32 whose space is allocated at once and not filled,
  /// aligned to 4096 bytes. numel > 0.
  Hdf5Dataset create_flat(const std::string& name, int64_t numel,
                          Hdf5Type type = Hdf5Type::kFloat32);
  /// A dataset in chunks of `chunk_rows` elements of the first dimension, which others can extend,
  /// each with a Fletcher-32 checksum that reading checks.
  Hdf5Dataset create_chunked(const std::string& name, Hdf5Type type,
                             const std::vector<int64_t>& shape, int64_t chunk_rows);
  /// A dataset whose elements are those of other files. Elements without a mapping, and those of a
  /// source that is not there or cannot be read, read as NaN.
  Hdf5Dataset create_virtual(const std::string& name, const std::vector<int64_t>& shape,
                             const std::vector<Hdf5Mapping>& mappings);
  const std::string& place() const noexcept { return origin_.place; }  ///< its path, for messages
  bool has(const std::string& name) const;
  Hdf5Dataset dataset(const std::string& name) const;

  void set_attribute(const std::string& name, const std::string& value);
  void set_attribute(const std::string& name, int64_t value);
  std::string string_attribute(const std::string& name) const;
  int64_t integer_attribute(const std::string& name) const;

  /// Writes what the library holds back, and reports its failure, which the destructor can't.
  /// Datasets of the file are of no use afterwards. The destructor closes too.
  void close();

 private:
  Hdf5File(Hdf5Handle handle, Hdf5Origin origin);
  Hdf5Handle handle_;
  Hdf5Origin origin_;
};

/// The HDF5 library's version, "1.10.8".
std::string hdf5_version();

}  // namespace xkde

#endif  // XKDE_CORE_IO_HDF5_FILE_H_
