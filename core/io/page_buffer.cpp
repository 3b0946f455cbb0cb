#include "core/io/page_buffer.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "core/base/error.h"

namespace xkde {

PageBuffer::PageBuffer(size_t numel) : bytes_(numel * sizeof(float)), numel_(numel) {
  if (numel == 0) return;
  void* memory =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  XKDE_CHECK(memory != MAP_FAILED, MemoryError, "no memory for ", bytes_,
             " bytes: ", std::strerror(errno));
  memory_ = memory;
  ::madvise(memory_, bytes_, MADV_HUGEPAGE);  // a wish
  std::memset(memory_, 0, bytes_);
}

PageBuffer::~PageBuffer() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

}  // namespace xkde
