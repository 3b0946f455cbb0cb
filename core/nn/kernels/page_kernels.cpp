#include "core/nn/kernels/page_kernels.h"

#include <algorithm>

#include "core/base/vector_math.h"

namespace xkde::cpu {
namespace {

/// A page's 16 tokens, or 16 neighbouring entries of a value: one register with AVX-512. Left to
/// itself the compiler shuffles the loops below across queries.
typedef float Lanes [[gnu::vector_size(64), gnu::aligned(4), gnu::may_alias]];
static_assert(sizeof(Lanes) == kPageTokens * sizeof(float));

XKDE_INLINE const Lanes& lanes_at(const float* p) { return *reinterpret_cast<const Lanes*>(p); }
XKDE_INLINE Lanes& lanes_at(float* p) { return *reinterpret_cast<Lanes*>(p); }

/// Scores of N queries: N vectors of 16 sums stay in registers.
template <int N>
XKDE_INLINE void score_block(const float* queries, const float* keys, int64_t head_dim, float scale,
                             float* scores, int64_t stride) {
  Lanes sums[N] = {};
  for (int64_t e = 0; e < head_dim; ++e) {
    const Lanes key = lanes_at(keys + e * kPageTokens);
    for (int q = 0; q < N; ++q) sums[q] += queries[q * head_dim + e] * key;
  }
  for (int q = 0; q < N; ++q) lanes_at(scores + q * stride) = scale * sums[q];
}

template <int N>
XKDE_INLINE void value_block(const float* probabilities, int64_t stride, const float* values,
                             int64_t head_dim, float* out) {
  int64_t e = 0;
  for (; e + kPageTokens <= head_dim; e += kPageTokens) {
    Lanes sums[N] = {};
    for (int64_t t = 0; t < kPageTokens; ++t) {
      const Lanes value = lanes_at(values + t * head_dim + e);
      for (int q = 0; q < N; ++q) sums[q] += probabilities[q * stride + t] * value;
    }
    for (int q = 0; q < N; ++q) lanes_at(out + q * head_dim + e) += sums[q];
  }
  for (; e < head_dim; ++e) {
    for (int q = 0; q < N; ++q) {
      float sum = 0.0F;
      for (int64_t t = 0; t < kPageTokens; ++t) {
        sum += probabilities[q * stride + t] * values[t * head_dim + e];
      }
      out[q * head_dim + e] += sum;
    }
  }
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): pointers and sizes of a kernel
XKDE_CLONES void page_scores(const float* queries, int64_t n, const float* keys, int64_t head_dim,
                             float scale, float* scores, int64_t stride) {
  int64_t q = 0;
  for (; q + 8 <= n; q += 8) {
    score_block<8>(queries + q * head_dim, keys, head_dim, scale, scores + q * stride, stride);
  }
  for (; q + 3 <= n; q += 3) {
    score_block<3>(queries + q * head_dim, keys, head_dim, scale, scores + q * stride, stride);
  }
  for (; q < n; ++q) {
    score_block<1>(queries + q * head_dim, keys, head_dim, scale, scores + q * stride, stride);
  }
}

XKDE_CLONES void add_page_values(const float* probabilities, int64_t n, int64_t stride,
                                 const float* values, int64_t head_dim, float* out) {
  int64_t q = 0;
  for (; q + 8 <= n; q += 8) {
    value_block<8>(probabilities + q * stride, stride, values, head_dim, out + q * head_dim);
  }
  for (; q + 3 <= n; q += 3) {
    value_block<3>(probabilities + q * stride, stride, values, head_dim, out + q * head_dim);
  }
  for (; q < n; ++q) {
    value_block<1>(probabilities + q * stride, stride, values, head_dim, out + q * head_dim);
  }
}

XKDE_CLONES float softmax_numerators(float* scores, int64_t length, int64_t width) {
  float largest = scores[0];
  for (int64_t i = 1; i < length; ++i) largest = std::max(largest, scores[i]);
  for (int64_t i = 0; i < length; ++i) scores[i] = exponential(scores[i] - largest);
  for (int64_t i = length; i < width; ++i) scores[i] = 0.0F;
  float lanes[kPageTokens] = {};
  for (int64_t begin = 0; begin < width; begin += kPageTokens) {
    for (int64_t t = 0; t < kPageTokens; ++t) lanes[t] += scores[begin + t];
  }
  float sum = 0.0F;
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace xkde::cpu
