#ifndef XKDE_CORE_BASE_SHARED_MEMORY_H_
#define XKDE_CORE_BASE_SHARED_MEMORY_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace xkde {

/// Memory that processes of one host share by a name (/dev/shm). Move-only. Functions return an
/// errno, 0 for success, and don't throw: a rank that left here would keep the others waiting.
class SharedMemory {
 public:
  SharedMemory() = default;
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&&) = delete;

  static std::string random_name();
  /// New and zeroed; takes the pages at once, so that a full /dev/shm is an error here and not a
  /// SIGBUS later.
  int create(const std::string& name, size_t bytes);
  int open(const std::string& name, size_t bytes);
  /// New and zeroed, of this process alone: takes nothing of /dev/shm.
  int create_private(size_t bytes);
  /// Removes the name; the memory lives on until the last process is done with it.
  static void forget(const std::string& name) noexcept;
  /// What /dev/shm has left, in bytes; the largest number where it has no limit or is not there.
  static int64_t free_bytes() noexcept;
  /// Why create() or open() failed with `error`, and what a user can do.
  static std::string describe(size_t bytes, int error);
  void* get() const noexcept { return memory_; }

 private:
  int map(const std::string& name, size_t bytes, int flags);

  void* memory_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_BASE_SHARED_MEMORY_H_
