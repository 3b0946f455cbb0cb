#ifndef XKDE_CORE_LOSS_TOKEN_LOSS_H_
#define XKDE_CORE_LOSS_TOKEN_LOSS_H_

#include <cstdint>
#include <utility>

#include <ATen/core/Tensor.h>

namespace xkde {

/// What makes logits of rows: the output matrix [V, D] and, where not 0, the cap c of c tanh(l /
/// c).
struct OutputLayer {
  OutputLayer(at::Tensor output_matrix, double logit_cap = 0.0)  // NOLINT: a matrix is one
      : matrix(std::move(output_matrix)), cap(logit_cap) {}
  at::Tensor matrix;
  double cap;
};

struct TokenLoss {
  at::Tensor loss;         ///< sum of weight * cross-entropy, fp64 [], on the device
  at::Tensor hidden_grad;  ///< of `hidden`, its dtype, [L, D]
  at::Tensor log_probs;    ///< of the targets, fp32 [L]
};

/// Rows of logits that exist at once on `device`, unless asked otherwise: a GPU needs many for each
/// pass over the matrix to run at the rate of its products; a CPU does with few, and then the
/// allocator reuses the logits' memory.
int64_t default_chunk_rows(at::Device device);

/// Weighted cross-entropy of the output layer applied to labelled rows only, forward and backward
/// in one pass over chunks of rows, so that no more than `chunk_rows` rows of logits exist at a
/// time. hidden [L, D] and the matrix [V, D] of one dtype; targets int64 [L]; weights fp32 [L]; the
/// gradient of the matrix is added to `matrix_grad`, fp32 [V, D]; undefined: nobody needs it, and
/// no product is made for it. Cap, log-sum-exp and softmax are taken in fp32. `chunk_rows` 0:
/// default_chunk_rows().
TokenLoss linear_cross_entropy(const at::Tensor& hidden, const OutputLayer& output,
                               const at::Tensor& targets, const at::Tensor& weights,
                               at::Tensor& matrix_grad, int64_t chunk_rows = 0);

/// The most bytes that linear_cross_entropy() holds for one chunk of its rows: logits, their
/// gradient, and on a GPU a gradient of the matrix before it is added. `labels` is L. Capped logits
/// stay until their gradient is made: `caps`.
int64_t linear_cross_entropy_chunk_bytes(int64_t labels, int64_t width, int64_t vocabulary,
                                         at::ScalarType dtype, at::Device device,
                                         bool caps = false);

/// The log-probability of each row's target, or of its W targets: `targets` is int64 [L] or [L, W],
/// the result fp32 and as large. No more than `chunk_rows` rows of logits at a time.
at::Tensor linear_log_probs(const at::Tensor& hidden, const OutputLayer& output,
                            const at::Tensor& targets, int64_t chunk_rows = 0);

/// The most likely token of each row, int64 [L]; the lowest id wins a tie. kUnsoundRow where a
/// logit is NaN or infinite, as nobody waits for a device here. A cap of logits would change no
/// order.
inline constexpr int64_t kUnsoundRow = -1;
at::Tensor linear_argmax(const at::Tensor& hidden, const at::Tensor& matrix,
                         int64_t chunk_rows = 0);

}  // namespace xkde

#endif  // XKDE_CORE_LOSS_TOKEN_LOSS_H_
