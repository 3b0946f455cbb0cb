#ifndef XKDE_CORE_IO_MAPPED_FILE_H_
#define XKDE_CORE_IO_MAPPED_FILE_H_

#include <cstddef>
#include <filesystem>
#include <span>

namespace xkde {

/// A whole file, read-only, as memory. Move-only.
class MappedFile {
 public:
  /// Throws MissingInputError when there is no such file, DataError when it is empty or can't be
  /// mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_MAPPED_FILE_H_
