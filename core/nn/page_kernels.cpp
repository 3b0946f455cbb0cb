#include "core/nn/page_kernels.h"

#include <algorithm>

#include "core/base/vector_math.h"

namespace xkde::cpu {
namespace {

/// Scores of N queries: N vectors of 16 sums stay in registers.
template <int N>
XKDE_INLINE void score_block(const float* queries, const float* keys, int64_t head_dim, float scale,
                             float* scores, int64_t stride) {
  float sums[N][kPageTokens] = {};
  for (int64_t e = 0; e < head_dim; ++e) {
    const float* key = keys + e * kPageTokens;
    for (int q = 0; q < N; ++q) {
      const float x = queries[q * head_dim + e];
      for (int64_t t = 0; t < kPageTokens; ++t) sums[q][t] += x * key[t];
    }
  }
  for (int q = 0; q < N; ++q) {
    for (int64_t t = 0; t < kPageTokens; ++t) scores[q * stride + t] = scale * sums[q][t];
  }
}

template <int N>
XKDE_INLINE void value_block(const float* probabilities, int64_t stride, const float* values,
                             int64_t head_dim, float* out) {
  int64_t e = 0;
  for (; e + kPageTokens <= head_dim; e += kPageTokens) {
    float sums[N][kPageTokens] = {};
    for (int64_t t = 0; t < kPageTokens; ++t) {
      const float* value = values + t * head_dim + e;
      for (int q = 0; q < N; ++q) {
        const float p = probabilities[q * stride + t];
        for (int64_t i = 0; i < kPageTokens; ++i) sums[q][i] += p * value[i];
      }
    }
    for (int q = 0; q < N; ++q) {
      for (int64_t i = 0; i < kPageTokens; ++i) out[q * head_dim + e + i] += sums[q][i];
    }
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

XKDE_CLONES void page_scores(const float* queries, int64_t n, const float* keys, int64_t head_dim,
                             float scale, float* scores, int64_t stride) {
  int64_t q = 0;
  for (; q + 4 <= n; q += 4) {
    score_block<4>(queries + q * head_dim, keys, head_dim, scale, scores + q * stride, stride);
  }
  for (; q < n; ++q) {
    score_block<1>(queries + q * head_dim, keys, head_dim, scale, scores + q * stride, stride);
  }
}

XKDE_CLONES void add_page_values(const float* probabilities, int64_t n, int64_t stride,
                                 const float* values, int64_t head_dim, float* out) {
  int64_t q = 0;
  for (; q + 4 <= n; q += 4) {
    value_block<4>(probabilities + q * stride, stride, values, head_dim, out + q * head_dim);
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
