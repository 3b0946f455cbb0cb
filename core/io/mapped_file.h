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
  /// Gives the memory of a part of bytes() back; it is read from disk, or the system's cache, when
  /// it is touched again. For what is read once: mapped pages count as a process's memory.
  void forget(std::span<const std::byte> part) const noexcept;

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_MAPPED_FILE_H_
