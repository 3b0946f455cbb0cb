#include <cstdint>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/nn/attention.h"
#include "core/nn/layers.h"
#include "tests/support/counting_allocator.h"

namespace xkde {
namespace {

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

TEST_P(SavedBytes, GemmasNormAndActivationKeepAsMuch) {
  const at::Tensor x = at::randn({30, 16}).to(GetParam()).requires_grad_(true);
  const at::Tensor weight = at::ones({16}, GetParam()).requires_grad_(true);
  const at::Tensor gate_up = at::randn({30, 2 * 16}).to(GetParam()).requires_grad_(true);

  const int64_t by_norm = kept_by([&] { return rms_norm_plus_one(x, weight, 1e-5); });
  const int64_t by_activation = kept_by([&] { return geglu(gate_up); });

  EXPECT_EQ(bytes_of(x) + by_norm, rms_norm_saved_bytes(30, 16, GetParam(), at::kCPU, true));
  EXPECT_EQ(bytes_of(gate_up) + by_activation, swiglu_saved_bytes(30, 16, GetParam(), at::kCPU));
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
