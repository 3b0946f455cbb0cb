#ifndef XKDE_CORE_NN_LAYERS_H_
#define XKDE_CORE_NN_LAYERS_H_

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace xkde {

/// weight * x / rms(x): x [T, D] of any float dtype, weight [D]; the mean of squares is taken in
/// fp32 and the result has x's dtype. Source: arXiv:1910.07467, in the rounding order of
/// transformers.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
/// (1 + weight) * x / rms(x), all in fp32 and rounded once: the norm of Gemma.
at::Tensor rms_norm_plus_one(const at::Tensor& x, const at::Tensor& weight, double eps);
/// Bytes that the backward pass of either norm needs for x [rows, width], x included and `weight`
/// not.
int64_t rms_norm_saved_bytes(int64_t rows, int64_t width, at::ScalarType dtype, at::Device device,
                             bool plus_one = false);

/// silu(gate) * up for gate_up [T, 2F] whose first F columns are the gate: [T, F]. Source:
/// arXiv:2002.05202.
at::Tensor swiglu(const at::Tensor& gate_up);
/// gelu(gate) * up with gelu's tanh form, else the same.
at::Tensor geglu(const at::Tensor& gate_up);
/// Bytes that the backward pass of either needs for gate_up [rows, 2 width], which is included.
int64_t swiglu_saved_bytes(int64_t rows, int64_t width, at::ScalarType dtype, at::Device device);

/// cap * tanh(x / cap), in fp32 (fp64 for fp64); `cap` 0: x as it is. Source: arXiv:2408.00118.
at::Tensor soft_capped(const at::Tensor& x, double cap);

}  // namespace xkde

#endif  // XKDE_CORE_NN_LAYERS_H_
