#include "core/editing/lookup/ties.h"

#include <algorithm>

#include <ATen/ATen.h>

namespace xkde {
namespace {

/// The entries with the largest magnitudes; the others are 0.
at::Tensor trimmed(const at::Tensor& difference, double density) {
  const int64_t count = difference.numel();
  const int64_t kept =
      std::clamp<int64_t>(static_cast<int64_t>(density * static_cast<double>(count)), 1, count);
  const at::Tensor flat = difference.reshape({-1});
  const at::Tensor places = std::get<1>(flat.abs().topk(kept));
  return at::zeros_like(flat)
      .index_copy(0, places, flat.index_select(0, places))
      .view(difference.sizes());
}

}  // namespace

at::Tensor merge_ties(const at::Tensor& base, const std::vector<at::Tensor>& grown,
                      double density) {
  std::vector<at::Tensor> differences;
  for (const at::Tensor& one : grown) differences.push_back(trimmed(one - base, density));
  const at::Tensor all = at::stack(differences);  // [n, …]
  // Who is 0 has no sign and takes no part.
  const at::Tensor sign = at::where(all.sum(0) < 0.0, -1.0, 1.0);
  const at::Tensor agrees = all.sign() == sign;
  const at::Tensor sum = (all * agrees).sum(0);
  return base + sum / agrees.sum(0).clamp_min(1);
}

}  // namespace xkde
