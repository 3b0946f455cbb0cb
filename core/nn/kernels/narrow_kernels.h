#ifndef XKDE_CORE_NN_KERNELS_NARROW_KERNELS_H_
#define XKDE_CORE_NN_KERNELS_NARROW_KERNELS_H_

#include <cstdint>

namespace xkde::cpu {

// Products of few rows with a matrix of weights, in fp32. Such a product takes as long as reading
// the weights does, so they are read once and in their order. Every function is one thread's work.

/// out[t, o] = x[t] · weight[o] for o in [first, last). x [rows, inner], weight [outer, inner], out
/// [rows, outer], contiguous.
void narrow_product(const float* x, int64_t rows, const float* weight, int64_t inner, int64_t outer,
                    int64_t first, int64_t last, float* out);
/// out[t, i] = Σ_o x[t, o] weight[o, i] for i in [first, last). x [rows, outer], weight [outer,
/// inner], out [rows, inner], contiguous.
void narrow_product_back(const float* x, int64_t rows, const float* weight, int64_t inner,
                         int64_t outer, int64_t first, int64_t last, float* out);

}  // namespace xkde::cpu

#endif  // XKDE_CORE_NN_KERNELS_NARROW_KERNELS_H_
