#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include "core/nn/attention.h"
#include "core/nn/layers.h"

namespace xkde {
namespace {

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
int64_t kept_by(const std::function<at::Tensor()>& forward) {
  CountingAllocator allocator;
  const int64_t before = allocator.live();
  const at::Tensor out = forward();
  return allocator.live() - before - static_cast<int64_t>(out.nbytes());
}

int64_t bytes_of(const at::Tensor& tensor) { return static_cast<int64_t>(tensor.nbytes()); }

class SavedBytes : public testing::TestWithParam<at::ScalarType> {};
INSTANTIATE_TEST_SUITE_P(Types, SavedBytes, testing::Values(at::kFloat, at::kBFloat16));

TEST_P(SavedBytes, RmsNormKeepsWhatItSays) {
  const at::Tensor x = at::randn({30, 16}).to(GetParam()).requires_grad_(true);
  const at::Tensor weight = at::ones({16}, GetParam()).requires_grad_(true);

  const int64_t kept = kept_by([&] { return rms_norm(x, weight, 1e-5); });

  EXPECT_EQ(bytes_of(x) + kept, rms_norm_saved_bytes(30, 16, GetParam(), at::kCPU));
}

TEST_P(SavedBytes, SwigluKeepsWhatItSays) {
  const at::Tensor gate_up = at::randn({30, 2 * 16}).to(GetParam()).requires_grad_(true);

  const int64_t kept = kept_by([&] { return swiglu(gate_up); });

  EXPECT_EQ(bytes_of(gate_up) + kept, swiglu_saved_bytes(30, 16, GetParam(), at::kCPU));
}

TEST_P(SavedBytes, AttentionKeepsWhatItSays) {
  const AttentionShape heads{.num_heads = 4, .num_kv_heads = 2, .head_dim = 8};
  const std::vector<AttentionSegment> segments = {{9, {}}, {12, {{6, -1}, {4, 0}, {2, 0}}}};
  const at::Tensor qkv = at::randn({21, (4 + 2 * 2) * 8}).to(GetParam()).requires_grad_(true);
  const at::Tensor frequencies = at::tensor(inverse_frequencies(8, 10000.0));
  const RotaryTable rotary = rotary_table(at::arange(21), frequencies, GetParam());
  const AttentionPlan plan = plan_attention(segments, heads, GetParam(), at::kCPU);

  const int64_t kept = kept_by([&] { return packed_attention(qkv, heads, rotary, plan); });

  EXPECT_EQ(kept, packed_attention_saved_bytes(count_attention(segments, at::kCPU), heads,
                                               GetParam(), at::kCPU));
}

}  // namespace
}  // namespace xkde
