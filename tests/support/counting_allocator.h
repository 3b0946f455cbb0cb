#ifndef XKDE_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_
#define XKDE_TESTS_SUPPORT_COUNTING_ALLOCATOR_H_

#include <algorithm>
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
  CountingAllocator() : before_(c10::GetCPUAllocator()) {
    ledger().peak = ledger().live;
    c10::SetCPUAllocator(this);
  }
  ~CountingAllocator() override { c10::SetCPUAllocator(before_); }
  at::DataPtr allocate(size_t bytes) override {
    constexpr size_t kAlignment = 64;
    void* data = std::aligned_alloc(kAlignment, (bytes / kAlignment + 1) * kAlignment);
    Ledger& all = ledger();
    const std::lock_guard lock(all.mutex);
    all.blocks[data] = static_cast<int64_t>(bytes);
    all.live += static_cast<int64_t>(bytes);
    all.peak = std::max(all.peak, all.live);
    return {data, data, &release, at::Device(at::kCPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
  int64_t live() const {
    const std::lock_guard lock(ledger().mutex);
    return ledger().live;
  }
  /// The most that was alive at once.
  int64_t peak() const {
    const std::lock_guard lock(ledger().mutex);
    return ledger().peak;
  }

 private:
  struct Ledger {
    std::mutex mutex;
    std::map<void*, int64_t> blocks;
    int64_t live = 0, peak = 0;
  };
  /// Tensors may outlive the one that allocated them.
  static Ledger& ledger() {
    static Ledger all;
    return all;
  }
  static void release(void* data) {
    Ledger& all = ledger();
    const std::lock_guard lock(all.mutex);
    const auto found = all.blocks.find(data);
    all.live -= found->second;
    all.blocks.erase(found);
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
