#ifndef XKDE_CORE_NN_CPU_KERNELS_H_
#define XKDE_CORE_NN_CPU_KERNELS_H_

#include <cstdint>

#include <c10/util/BFloat16.h>

namespace xkde::cpu {

// Loops of a decoder block that ATen would run as many passes over memory, for fp32 and bf16 in
// host memory. Sums are taken in fp32; rows are contiguous. Every function is one thread's work.

/// out = weight * x / rms(x), rounded after the division as in transformers; scale[t] = 1 / rms.
/// x, out [rows, width].
void rms_norm(const float* x, const float* weight, float* out, float* scale, int64_t rows,
              int64_t width, float eps);
void rms_norm(const c10::BFloat16* x, const c10::BFloat16* weight, c10::BFloat16* out, float* scale,
              int64_t rows, int64_t width, float eps);
/// x_grad of rms_norm() from out_grad; adds to weight_grad, fp32 [width].
void rms_norm_backward(const float* out_grad, const float* x, const float* weight,
                       const float* scale, float* x_grad, float* weight_grad, int64_t rows,
                       int64_t width);
void rms_norm_backward(const c10::BFloat16* out_grad, const c10::BFloat16* x,
                       const c10::BFloat16* weight, const float* scale, c10::BFloat16* x_grad,
                       float* weight_grad, int64_t rows, int64_t width);

/// out [rows, width] = silu(gate) * up of gate_up [rows, 2 width].
void swiglu(const float* gate_up, float* out, int64_t rows, int64_t width);
void swiglu(const c10::BFloat16* gate_up, c10::BFloat16* out, int64_t rows, int64_t width);
void swiglu_backward(const float* out_grad, const float* gate_up, float* gate_up_grad, int64_t rows,
                     int64_t width);
void swiglu_backward(const c10::BFloat16* out_grad, const c10::BFloat16* gate_up,
                     c10::BFloat16* gate_up_grad, int64_t rows, int64_t width);

/// out = x turned by the angles of cos and sin, all [width]: halves are the coordinates. `inverse`:
/// by the negative angles.
void rotate(const float* x, const float* cos, const float* sin, float* out, int64_t width,
            bool inverse);
void rotate(const c10::BFloat16* x, const c10::BFloat16* cos, const c10::BFloat16* sin,
            c10::BFloat16* out, int64_t width, bool inverse);
/// The inverse of rotate() on fp32 gradients.
void rotate_back(const float* x, const c10::BFloat16* cos, const c10::BFloat16* sin,
                 c10::BFloat16* out, int64_t width);
void rotate_back(const float* x, const float* cos, const float* sin, float* out, int64_t width);

/// In place: scores[begin, end) become softmax(scale * scores), the rest of [0, width) zero.
void masked_softmax(float* scores, int64_t begin, int64_t end, int64_t width, float scale);
void masked_softmax(c10::BFloat16* scores, int64_t begin, int64_t end, int64_t width, float scale);
/// In place: the gradient of the probabilities becomes that of the unscaled scores.
void softmax_backward(const float* probabilities, float* gradient, int64_t width, float scale);
void softmax_backward(const c10::BFloat16* probabilities, c10::BFloat16* gradient, int64_t width,
                      float scale);

/// sum[i] += x[i].
void add_to(const float* x, float* sum, int64_t width);
void add_to(const c10::BFloat16* x, float* sum, int64_t width);

}  // namespace xkde::cpu

#endif  // XKDE_CORE_NN_CPU_KERNELS_H_
