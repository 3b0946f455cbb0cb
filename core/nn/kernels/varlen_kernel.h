#ifndef XKDE_CORE_NN_KERNELS_VARLEN_KERNEL_H_
#define XKDE_CORE_NN_KERNELS_VARLEN_KERNEL_H_

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace xkde {

/// N sequences that one attention call takes side by side: sequence i has the query rows
/// [q_begins[i], q_begins[i + 1]) and the key rows [k_begins[i], k_begins[i + 1]), none of them
/// empty.
struct VarlenCall {
  at::Tensor q_begins, k_begins;  ///< int32 [N + 1], on the device of the rows
  int64_t longest_q = 0, longest_k = 0;
  bool causal = false;  ///< row i of a sequence sees its keys up to i; else all of them
};

/// Attention over sequences of any length without padding or masks. q [Tq, H, E]; k, v [Tk, K, E]
/// with H a multiple of K; softmax(scale q k^T) v.
class VarlenKernel {
 public:
  struct Result {
    at::Tensor out;  ///< [Tq, H, E], the dtype of q
    at::Tensor lse;  ///< log-sum-exp of the scaled scores, fp32 (fp64 for fp64) [H, Tq]
  };
  struct Gradients {
    at::Tensor q, k, v;
  };
  virtual ~VarlenKernel() = default;
  virtual Result forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         const VarlenCall& call, double scale) const = 0;
  /// The share of these keys in the gradients, where `result` may be that of more keys than these:
  /// a probability needs only its row's log-sum-exp, so shares of disjoint keys add up.
  virtual Gradients backward(const at::Tensor& out_grad, const at::Tensor& q, const at::Tensor& k,
                             const at::Tensor& v, const Result& result, const VarlenCall& call,
                             double scale) const = 0;
};

/// LibTorch's FlashAttention 2: CUDA, compute capability 8.0 and up, see flash_takes(). dq is
/// summed in no fixed order unless at::globalContext() asks for deterministic algorithms. Source:
/// arXiv:2307.08691.
const VarlenKernel& flash_kernel();
bool flash_takes(at::Device device, at::ScalarType dtype, int64_t head_dim);

/// Plain products, one sequence after the other: any device and float dtype. What tests hold the
/// other against.
const VarlenKernel& reference_kernel();

}  // namespace xkde

#endif  // XKDE_CORE_NN_KERNELS_VARLEN_KERNEL_H_
