#ifndef XKDE_CORE_NN_KERNELS_PAGE_KERNELS_H_
#define XKDE_CORE_NN_KERNELS_PAGE_KERNELS_H_

#include <cstdint>

namespace xkde::cpu {

/// Tokens of a page of keys and values. A page of one head holds its keys column by column, [E,
/// 16], so that the scores of 16 tokens are one vector, then its values row by row, [16, E].
inline constexpr int64_t kPageTokens = 16;

/// scores[q * stride + t] = scale * query q . key t for the 16 tokens of a page; queries [n, E].
void page_scores(const float* queries, int64_t n, const float* keys, int64_t head_dim, float scale,
                 float* scores, int64_t stride);
/// out[q] += sum of probabilities[q * stride + t] * value t over a page's 16 tokens; out [n, E].
void add_page_values(const float* probabilities, int64_t n, int64_t stride, const float* values,
                     int64_t head_dim, float* out);
/// In place: scores become exp(score - largest), those from `length` to `width` zero. Returns their
/// sum.
float softmax_numerators(float* scores, int64_t length, int64_t width);

}  // namespace xkde::cpu

#endif  // XKDE_CORE_NN_KERNELS_PAGE_KERNELS_H_
