#ifndef XKDE_CORE_IO_PAGE_BUFFER_H_
#define XKDE_CORE_IO_PAGE_BUFFER_H_

#include <cstddef>
#include <span>
#include <utility>

namespace xkde {

/// Floats in whole pages of their own, huge ones where the system has them, all there (touched,
/// zero) from the start, so that copying into them is no more than that, and that a disk may read
/// them directly. Move-only.
class PageBuffer {
 public:
  PageBuffer() = default;
  /// Throws MemoryError.
  explicit PageBuffer(size_t numel);
  PageBuffer(PageBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)),
        numel_(std::exchange(other.numel_, 0)) {}
  PageBuffer& operator=(PageBuffer&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    std::swap(numel_, other.numel_);
    return *this;
  }
  ~PageBuffer();

  std::span<float> values() const noexcept { return {static_cast<float*>(memory_), numel_}; }

 private:
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  size_t numel_ = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_IO_PAGE_BUFFER_H_
