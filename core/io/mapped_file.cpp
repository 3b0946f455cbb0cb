#include "core/io/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/io/file.h"

namespace xkde {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const FileHandle file = FileHandle::try_open(path, OpenMode::kRead);
  XKDE_CHECK(file.is_open(), MissingInputError, path.string(), ": expected a file, found ",
             std::strerror(errno));
  const FileStatus status = file.status();
  XKDE_CHECK(status.is_regular, DataError, path.string(),
             ": expected a regular file, found something else");
  XKDE_CHECK(status.bytes > 0, DataError, path.string(), ": expected data, found an empty file");
  const auto size = static_cast<size_t>(status.bytes);
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd(), 0);
  XKDE_CHECK(memory != MAP_FAILED, DataError, path.string(), ": expected to map the file, found ",
             std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::forget(std::span<const std::byte> part) const noexcept {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<size_t>(part.data() - bytes_.data()) / page * page;
  const auto end = static_cast<size_t>(part.data() - bytes_.data()) + part.size();
  ::madvise(const_cast<std::byte*>(bytes_.data()) + begin, end - begin, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace xkde
