#ifndef XKDE_CORE_NN_PRODUCTS_H_
#define XKDE_CORE_NN_PRODUCTS_H_

#include <optional>

#include <ATen/core/Tensor.h>

namespace xkde {

// Products of matrices. LibTorch multiplies bf16 on a CPU by oneDNN where the CPU has AVX-512, else
// by plain loops that take seven times as long as fp32 does. There, operands are made fp32 block by
// block and the sums are rounded once, as oneDNN does it. LibTorch packs fp32 weights for each
// product, which takes longer than a product of few rows itself: those read the weights once.

/// Whether bf16 products are computed in fp32 blocks here.
bool widens_products();
/// For tests: as if the CPU had, or had not, instructions of its own.
void set_widens_products(bool widens);
/// For tests: as if fp32 products of few rows had, or had not, kernels of their own (those of
/// narrow_kernels.h, with AVX-512); nothing: as the CPU is.
void set_narrow_kernels(std::optional<bool> has);

/// x weight' + bias. x [T, I], weight [O, I], bias [O] or undefined -> [T, O]. Has gradients.
at::Tensor plain_product(const at::Tensor& x, const at::Tensor& weight,
                         const at::Tensor& bias = {});
/// a b for a [M, K] and b [K, N], or a [B, M, K] and b [B, K, N]. Has no gradients where bf16 is
/// widened.
at::Tensor product(const at::Tensor& a, const at::Tensor& b);
/// out += scale a b, all of two dimensions; `out` may be a view.
void add_product(at::Tensor out, const at::Tensor& a, const at::Tensor& b, double scale = 1.0);
/// x in fp32 where its products are widened, else x: for the operands of small products, which may
/// broadcast and have gradients.
at::Tensor widened(const at::Tensor& x);
/// What attention gives: weights [..., Q, K], rounded to the dtype of `values`, by values
/// [..., K, E]. Has gradients.
at::Tensor weighted_values(const at::Tensor& weights, const at::Tensor& values);

/// Floating-point operations a second of this process on a matrix product of 1024^3, on a GPU of
/// 8192^3 with random values: best of several, a tenth of a second or more in all. The "speed of
/// light" that a step's time is compared with.
double measure_matmul_rate(at::ScalarType dtype, at::Device device);

}  // namespace xkde

#endif  // XKDE_CORE_NN_PRODUCTS_H_
