#ifndef XKDE_CORE_NN_KERNELS_CPU_KERNELS_H_
#define XKDE_CORE_NN_KERNELS_CPU_KERNELS_H_

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

/// The same with 1 + weight in place of the weight, rounded once, as Gemma's in transformers.
void rms_norm_plus_one(const float* x, const float* weight, float* out, float* scale, int64_t rows,
                       int64_t width, float eps);
void rms_norm_plus_one(const c10::BFloat16* x, const c10::BFloat16* weight, c10::BFloat16* out,
                       float* scale, int64_t rows, int64_t width, float eps);
void rms_norm_plus_one_backward(const float* out_grad, const float* x, const float* weight,
                                const float* scale, float* x_grad, float* weight_grad, int64_t rows,
                                int64_t width);
void rms_norm_plus_one_backward(const c10::BFloat16* out_grad, const c10::BFloat16* x,
                                const c10::BFloat16* weight, const float* scale,
                                c10::BFloat16* x_grad, float* weight_grad, int64_t rows,
                                int64_t width);

/// out [rows, width] = silu(gate) * up of gate_up [rows, 2 width].
void swiglu(const float* gate_up, float* out, int64_t rows, int64_t width);
void swiglu(const c10::BFloat16* gate_up, c10::BFloat16* out, int64_t rows, int64_t width);
void swiglu_backward(const float* out_grad, const float* gate_up, float* gate_up_grad, int64_t rows,
                     int64_t width);
void swiglu_backward(const c10::BFloat16* out_grad, const c10::BFloat16* gate_up,
                     c10::BFloat16* gate_up_grad, int64_t rows, int64_t width);

/// The same with gelu, in its tanh form, in place of silu.
void geglu(const float* gate_up, float* out, int64_t rows, int64_t width);
void geglu(const c10::BFloat16* gate_up, c10::BFloat16* out, int64_t rows, int64_t width);
void geglu_backward(const float* out_grad, const float* gate_up, float* gate_up_grad, int64_t rows,
                    int64_t width);
void geglu_backward(const c10::BFloat16* out_grad, const c10::BFloat16* gate_up,
                    c10::BFloat16* gate_up_grad, int64_t rows, int64_t width);

/// A head's row, of which the first `turning` entries turn and the others stay.
struct HeadWidth {
  int64_t whole = 0;
  int64_t turning = 0;
};
/// out = x turned by the angles of cos and sin, both [turning]: the halves of what turns are the
/// coordinates. `inverse`: by the negative angles.
void rotate(const float* x, const float* cos, const float* sin, float* out, HeadWidth width,
            bool inverse);
void rotate(const c10::BFloat16* x, const c10::BFloat16* cos, const c10::BFloat16* sin,
            c10::BFloat16* out, HeadWidth width, bool inverse);
/// The inverse of rotate() on fp32 gradients.
void rotate_back(const float* x, const c10::BFloat16* cos, const c10::BFloat16* sin,
                 c10::BFloat16* out, HeadWidth width);
void rotate_back(const float* x, const float* cos, const float* sin, float* out, HeadWidth width);

/// What masked_softmax() takes: its row of fp32 stays on the stack.
inline constexpr int64_t kLongestSoftmax = 1024;
/// In place: scores[begin, end), at least one and at most kLongestSoftmax, become
/// softmax(scale * scores), the rest of [0, width) zero.
void masked_softmax(float* scores, int64_t begin, int64_t end, int64_t width, float scale);
void masked_softmax(c10::BFloat16* scores, int64_t begin, int64_t end, int64_t width, float scale);
/// In place: the gradient of the probabilities becomes that of the unscaled scores.
void softmax_backward(const float* probabilities, float* gradient, int64_t width, float scale);
void softmax_backward(const c10::BFloat16* probabilities, c10::BFloat16* gradient, int64_t width,
                      float scale);

/// In place: each score becomes cap * tanh(scale * score / cap).
void soft_cap(float* scores, int64_t n, float scale, float cap);
void soft_cap(c10::BFloat16* scores, int64_t n, float scale, float cap);
/// In place: the gradient of what soft_cap() made of `scores` becomes that of `scores`.
void soft_cap_backward(const float* scores, float* gradient, int64_t n, float scale, float cap);
void soft_cap_backward(const c10::BFloat16* scores, c10::BFloat16* gradient, int64_t n, float scale,
                       float cap);

/// sum[i] += x[i].
void add_to(const float* x, float* sum, int64_t width);
void add_to(const c10::BFloat16* x, float* sum, int64_t width);

}  // namespace xkde::cpu

#endif  // XKDE_CORE_NN_KERNELS_CPU_KERNELS_H_
