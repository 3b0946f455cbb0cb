#ifndef XKDE_CORE_IO_NUMPY_NPZ_FILE_H_
#define XKDE_CORE_IO_NUMPY_NPZ_FILE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/io/file.h"

namespace xkde {

/// A NumPy archive (.npz), opened read-only: a zip file of arrays (.npy), stored or deflated, also
/// beyond 4 GiB. What is read is bounded by what the caller asks for, and a CRC is checked.
/// Sources: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html and PKWARE's
/// APPNOTE.TXT 6.3.
class NpzFile {
 public:
  /// Reads the list of arrays. Throws MissingInputError, or DataError naming file, what was
  /// expected and what was found.
  static NpzFile open(const std::filesystem::path& path);

  std::vector<std::string> names() const;  ///< sorted, without ".npy"
  bool has(const std::string& name) const { return members_.contains(name); }
  /// The values of an array of fp32 or fp64 that must have this shape, row by row. Throws
  /// DataError.
  void read(const std::string& name, const std::vector<int64_t>& shape,
            std::span<double> out) const;
  /// The value of an array of one integer. Throws DataError.
  int64_t read_integer(const std::string& name) const;

  /// Where an array lies in the file.
  struct Member {
    int64_t header = 0;  ///< of the member, from the file's start
    int64_t stored = 0;  ///< bytes in the file
    int64_t bytes = 0;   ///< of the array, header included
    uint32_t crc = 0;
    bool is_deflated = false;
  };

 private:
  explicit NpzFile(FileHandle file);
  const Member& member(const std::string& name) const;
  std::string place_of(const std::string& name) const;

  FileHandle file_;
  std::map<std::string, Member> members_;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_NUMPY_NPZ_FILE_H_
