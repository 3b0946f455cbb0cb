#include "core/loss/token_loss.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/ScalarTypeToTypeMeta.h>

#include "core/nn/layers.h"
#include "core/nn/products.h"

namespace xkde {

int64_t default_chunk_rows(at::Device device) { return device.is_cpu() ? 128 : 1024; }

TokenLoss linear_cross_entropy(const at::Tensor& hidden, const OutputLayer& output,
                               const at::Tensor& targets, const at::Tensor& weights,
                               at::Tensor& matrix_grad, int64_t chunk_rows) {
  if (chunk_rows == 0) chunk_rows = default_chunk_rows(hidden.device());
  const at::Tensor& matrix = output.matrix;
  TokenLoss result;
  result.hidden_grad = at::empty_like(hidden);
  result.log_probs = at::empty({hidden.size(0)}, hidden.options().dtype(at::kFloat));
  at::Tensor loss = at::zeros({}, hidden.options().dtype(at::kDouble));
  for (int64_t begin = 0; begin < hidden.size(0); begin += chunk_rows) {
    const int64_t rows = std::min(chunk_rows, hidden.size(0) - begin);
    const at::Tensor chunk = hidden.narrow(0, begin, rows);
    const at::Tensor target = targets.narrow(0, begin, rows).unsqueeze(1);
    const at::Tensor weight = weights.narrow(0, begin, rows).unsqueeze(1);

    at::Tensor logits = soft_capped(plain_product(chunk, matrix).to(at::kFloat), output.cap);
    at::Tensor log_probs = at::log_softmax(logits, 1);
    if (output.cap == 0.0) logits.reset();  // the gradient needs only those with a cap
    const at::Tensor of_targets = log_probs.gather(1, target);
    result.log_probs.narrow(0, begin, rows).copy_(of_targets.squeeze(1));
    loss.sub_((of_targets * weight).sum(at::kDouble));

    at::Tensor grad = log_probs.exp_();  // the log-probabilities are not needed again
    grad.mul_(weight);
    grad.scatter_add_(1, target, -weight);
    if (output.cap != 0.0) grad.mul_(1.0 - (logits / output.cap).square());
    // On a CPU the fp32 product is added in place: a bf16 one would need a second [V, D].
    const bool wants_grad = matrix_grad.defined();
    if (wants_grad && hidden.is_cpu()) matrix_grad.addmm_(grad.t(), chunk.to(at::kFloat));
    grad = grad.to(hidden.scalar_type());
    if (wants_grad && !hidden.is_cpu()) matrix_grad.add_(at::matmul(grad.t(), chunk));
    result.hidden_grad.narrow(0, begin, rows).copy_(product(grad, matrix));
  }
  result.loss = loss;
  return result;
}

int64_t linear_cross_entropy_chunk_bytes(int64_t labels, int64_t width, int64_t vocabulary,
                                         at::ScalarType dtype, at::Device device, bool caps) {
  const auto wide = static_cast<int64_t>(c10::elementSize(at::kFloat));
  const auto element = static_cast<int64_t>(c10::elementSize(dtype));
  const int64_t logits = std::min(default_chunk_rows(device), labels) * vocabulary;
  // log_softmax: logits in the compute dtype, in fp32, and its result.
  const int64_t capped = caps ? 2 * wide : 0;  // with the slope of the cap
  const int64_t forward = ((dtype == at::kFloat ? 0 : element) + 2 * wide + capped) * logits;
  if (device.is_cpu()) return forward;
  return std::max(forward, (element + wide) * logits + element * vocabulary * width);
}

at::Tensor linear_log_probs(const at::Tensor& hidden, const OutputLayer& output,
                            const at::Tensor& targets, int64_t chunk_rows) {
  if (chunk_rows == 0) chunk_rows = default_chunk_rows(hidden.device());
  const bool has_one = targets.dim() == 1;
  const at::Tensor of_rows = has_one ? targets.unsqueeze(1) : targets;  // [L, W]
  at::Tensor result = at::empty(of_rows.sizes(), hidden.options().dtype(at::kFloat));
  for (int64_t begin = 0; begin < hidden.size(0); begin += chunk_rows) {
    const int64_t rows = std::min(chunk_rows, hidden.size(0) - begin);
    const at::Tensor own = plain_product(hidden.narrow(0, begin, rows), output.matrix);
    const at::Tensor logits = soft_capped(own.to(at::kFloat), output.cap);
    const at::Tensor target = of_rows.narrow(0, begin, rows);
    const at::Tensor total = at::logsumexp(logits, {1}, /*keepdim=*/true);
    result.narrow(0, begin, rows).copy_(logits.gather(1, target) - total);
  }
  return has_one ? result.squeeze(1) : result;
}

at::Tensor linear_argmax(const at::Tensor& hidden, const at::Tensor& matrix, int64_t chunk_rows) {
  if (chunk_rows == 0) chunk_rows = default_chunk_rows(hidden.device());
  std::vector<at::Tensor> ids;
  for (int64_t begin = 0; begin < hidden.size(0); begin += chunk_rows) {
    const int64_t rows = std::min(chunk_rows, hidden.size(0) - begin);
    const at::Tensor logits = plain_product(hidden.narrow(0, begin, rows), matrix);
    // argmax makes no promise on ties, and bf16 logits do tie: take the first of the largest.
    const at::Tensor best = std::get<0>(logits.max(1, /*keepdim=*/true));
    const at::Tensor sound = best.squeeze(1).abs() < INFINITY;  // the largest is NaN where one is
    const at::Tensor first = (logits == best).to(at::kByte).argmax(1);
    ids.push_back(first.masked_fill(sound.logical_not(), kUnsoundRow));
  }
  if (ids.empty()) return at::empty({0}, hidden.options().dtype(at::kLong));
  return at::cat(ids);
}

}  // namespace xkde
