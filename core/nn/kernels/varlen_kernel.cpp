#include "core/nn/kernels/varlen_kernel.h"

#include <algorithm>
#include <limits>
#include <tuple>

#include <ATen/ATen.h>

namespace xkde {
namespace {

class FlashKernel final : public VarlenKernel {
 public:
  Result forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const VarlenCall& call, double scale) const override {
    const auto all = at::_flash_attention_forward(
        q, k, v, call.q_begins, call.k_begins, grid_rows(call), call.longest_k, /*dropout_p=*/0.0,
        call.causal, /*return_debug_mask=*/false, scale);
    return {std::get<0>(all), std::get<1>(all)};
  }

  // NOLINTNEXTLINE(readability-function-size): what a backward pass of ATen takes
  Gradients backward(const at::Tensor& out_grad, const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, const Result& result, const VarlenCall& call,
                     double scale) const override {
    // Read only with dropout.
    const at::Tensor random_state = at::empty({0}, q.options().dtype(at::kLong));
    const auto all = at::_flash_attention_backward(
        out_grad, q, k, v, result.out, result.lse, call.q_begins, call.k_begins, grid_rows(call),
        call.longest_k, /*dropout_p=*/0.0, call.causal, random_state, random_state, scale);
    return {std::get<0>(all), std::get<1>(all), std::get<2>(all)};
  }

 private:
  // Where every sequence has a single query, the op takes a different kernel, which folds grouped
  // heads into rows and returns the log-sum-exp in another layout. The number only bounds the
  // kernel's grid, so 2 is always allowed and keeps the op from switching.
  static int64_t grid_rows(const VarlenCall& call) { return std::max<int64_t>(2, call.longest_q); }
};

/// [t, K, E] -> [H, t, E]: each key/value head repeated for its group of queries.
at::Tensor per_query_head(const at::Tensor& x, int64_t heads) {
  return x.repeat_interleave(heads / x.size(1), 1).transpose(0, 1);
}

/// [H, t, E] -> [t, K, E]: the sum over each group.
at::Tensor per_key_head(const at::Tensor& x, int64_t heads) {
  return x.view({heads, -1, x.size(1), x.size(2)}).sum(1).transpose(0, 1);
}

class ReferenceKernel final : public VarlenKernel {
 public:
  Result forward(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 const VarlenCall& call, double scale) const override {
    const auto wide = wide_type(q);
    Result result{at::empty_like(q, at::MemoryFormat::Contiguous),
                  at::empty({q.size(1), q.size(0)}, q.options().dtype(wide))};
    for_each(call, [&](const Rows& rows) {
      const at::Tensor scores = this->scores(rows.q(q).to(wide), rows.k(k).to(wide), call, scale);
      const at::Tensor lse = scores.logsumexp(2);
      const at::Tensor values = per_query_head(rows.k(v).to(wide), q.size(1));
      const at::Tensor out = at::matmul((scores - lse.unsqueeze(2)).exp(), values);
      rows.q(result.out).copy_(out.transpose(0, 1));
      result.lse.narrow(1, rows.q_begin, rows.q_rows).copy_(lse);
    });
    return result;
  }

  // NOLINTNEXTLINE(readability-function-size): what a backward pass of ATen takes
  Gradients backward(const at::Tensor& out_grad, const at::Tensor& q, const at::Tensor& k,
                     const at::Tensor& v, const Result& result, const VarlenCall& call,
                     double scale) const override {
    const auto wide = wide_type(q);
    const int64_t heads = q.size(1);
    Gradients grads{at::zeros(q.sizes(), q.options()), at::zeros(k.sizes(), k.options()),
                    at::zeros(v.sizes(), v.options())};
    for_each(call, [&](const Rows& rows) {
      const at::Tensor queries = rows.q(q).to(wide).transpose(0, 1);
      const at::Tensor keys = per_query_head(rows.k(k).to(wide), heads);
      const at::Tensor values = per_query_head(rows.k(v).to(wide), heads);
      const at::Tensor upper = rows.q(out_grad).to(wide).transpose(0, 1);
      const at::Tensor out = rows.q(result.out).to(wide).transpose(0, 1);
      const at::Tensor lse = result.lse.narrow(1, rows.q_begin, rows.q_rows).unsqueeze(2);
      const at::Tensor p =
          (scores(rows.q(q).to(wide), rows.k(k).to(wide), call, scale) - lse).exp();
      const at::Tensor delta = (upper * out).sum(2, /*keepdim=*/true);
      const at::Tensor score_grad = p * (at::matmul(upper, values.transpose(1, 2)) - delta) * scale;
      rows.q(grads.q).copy_(at::matmul(score_grad, keys).transpose(0, 1));
      rows.k(grads.k).copy_(
          per_key_head(at::matmul(score_grad.transpose(1, 2), queries), k.size(1)));
      rows.k(grads.v).copy_(per_key_head(at::matmul(p.transpose(1, 2), upper), k.size(1)));
    });
    return grads;
  }

 private:
  struct Rows {
    int64_t q_begin, q_rows, k_begin, k_rows;
    at::Tensor q(const at::Tensor& x) const { return x.narrow(0, q_begin, q_rows); }
    at::Tensor k(const at::Tensor& x) const { return x.narrow(0, k_begin, k_rows); }
  };

  static at::ScalarType wide_type(const at::Tensor& x) {
    return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  }

  template <typename Body>
  static void for_each(const VarlenCall& call, const Body& body) {
    const at::Tensor q_begins = call.q_begins.cpu();
    const at::Tensor k_begins = call.k_begins.cpu();
    const int* q = q_begins.const_data_ptr<int>();
    const int* k = k_begins.const_data_ptr<int>();
    for (int64_t i = 0; i + 1 < q_begins.numel(); ++i) {
      body(Rows{q[i], q[i + 1] - q[i], k[i], k[i + 1] - k[i]});
    }
  }

  /// q [t, H, E], k [s, K, E] -> [H, t, s].
  static at::Tensor scores(const at::Tensor& q, const at::Tensor& k, const VarlenCall& call,
                           double scale) {
    const at::Tensor keys = per_query_head(k, q.size(1)).transpose(1, 2);
    const at::Tensor scores = at::matmul(q.transpose(0, 1), keys) * scale;
    if (!call.causal) return scores;
    const at::Tensor hidden =
        at::ones({q.size(0), k.size(0)}, q.options().dtype(at::kBool)).triu(1);
    return scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  }
};

}  // namespace

const VarlenKernel& flash_kernel() {
  static const FlashKernel kernel;
  return kernel;
}

bool flash_takes(at::Device device, at::ScalarType dtype, int64_t head_dim) {
  const bool narrow = dtype == at::kBFloat16 || dtype == at::kHalf;
  return device.is_cuda() && narrow && head_dim % 8 == 0 && head_dim <= 256;
}

const VarlenKernel& reference_kernel() {
  static const ReferenceKernel kernel;
  return kernel;
}

}  // namespace xkde
