#include "core/base/shared_memory.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

constexpr const char* kFolder = "/dev/shm";  // where the C library puts such memory

}  // namespace

SharedMemory::~SharedMemory() {
  if (memory_ != nullptr) munmap(memory_, bytes_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)), bytes_(other.bytes_) {}

std::string SharedMemory::random_name() {
  std::random_device device;
  return concat("/xkde-", std::hex, device(), device());
}

int SharedMemory::create(const std::string& name, size_t bytes) {
  return map(name, bytes, O_CREAT | O_EXCL);
}

int SharedMemory::open(const std::string& name, size_t bytes) { return map(name, bytes, 0); }

void SharedMemory::forget(const std::string& name) noexcept { shm_unlink(name.c_str()); }

int SharedMemory::create_private(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return errno;
  memory_ = memory;
  bytes_ = bytes;
  return 0;
}

int64_t SharedMemory::free_bytes() noexcept {
  struct statvfs figures {};
  if (statvfs(kFolder, &figures) != 0 || figures.f_blocks == 0) {
    return std::numeric_limits<int64_t>::max();
  }
  return static_cast<int64_t>(figures.f_bavail) * static_cast<int64_t>(figures.f_frsize);
}

std::string SharedMemory::describe(size_t bytes, int error) {
  std::string text = fmt::format("shared memory ({}): expected {} bytes, found {}", kFolder, bytes,
                                 std::strerror(error));
  if (error == ENOSPC) {
    text += fmt::format(
        ", {} bytes are free; containers give 64 MB unless they are started with "
        "--shm-size (docker run --shm-size=1g)",
        free_bytes());
  }
  return text;
}

int SharedMemory::map(const std::string& name, size_t bytes, int flags) {
  const int file = shm_open(name.c_str(), flags | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return errno;
  int error = (flags & O_CREAT) != 0 ? posix_fallocate(file, 0, static_cast<off_t>(bytes)) : 0;
  if (error == 0) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) {
      error = errno;
    } else {
      memory_ = memory;
      bytes_ = bytes;
    }
  }
  close(file);
  return error;
}

}  // namespace xkde
