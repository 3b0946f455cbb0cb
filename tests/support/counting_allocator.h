#ifndef XKDE_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_
#define XKDE_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>

#include <ATen/core/Tensor.h>
#include <c10/core/CPUAllocator.h>

namespace xkde {

/// Counts the bytes of tensors that are alive, while it stands in for LibTorch's CPU allocator.
class CountingAllocator final : public at::Allocator {
 public:
  CountingAllocator() : before_(c10::GetCPUAllocator()) { c10::SetCPUAllocator(this); }
  ~CountingAllocator() override { c10::SetCPUAllocator(before_); }
  at::DataPtr allocate(size_t bytes) override {
    constexpr size_t kAlignment = 64;
    void* data = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
    const std::lock_guard lock(mutex());
    blocks()[data] = static_cast<int64_t>(bytes);
    return {data, data, &release, at::Device(at::kCPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
  int64_t live() const {
    const std::lock_guard lock(mutex());
    int64_t total = 0;
    for (const auto& [data, bytes] : blocks()) total += bytes;
    return total;
  }

 private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::map<void*, int64_t>& blocks() {
    static std::map<void*, int64_t> all;
    return all;
  }
  static void release(void* data) {
    const std::lock_guard lock(mutex());
    blocks().erase(data);
    std::free(data);
  }
  at::Allocator* before_;
};

/// Bytes that `forward` leaves alive for its backward pass, its output not counted.
inline int64_t kept_by(const std::function<at::Tensor()>& forward) {
  CountingAllocator allocator;
  const int64_t before = allocator.live();
  const at::Tensor out = forward();
  return allocator.live() - before - static_cast<int64_t>(out.nbytes());
}

}  // namespace xkde

#endif  // XKDE_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_
