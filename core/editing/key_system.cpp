#include "core/editing/key_system.h"

#include <tuple>

#include <ATen/ATen.h>

#include "core/base/error.h"

namespace xkde {
namespace {

/// The factor of S = ridge I + KᵀF, whose right triangle is read from the left one.
at::Tensor factor_of(const at::Tensor& keys, const at::Tensor& solved, double ridge) {
  at::Tensor system = keys.t().matmul(solved);
  system.diagonal().add_(ridge);
  auto [factor, info] = at::linalg_cholesky_ex(system);
  XKDE_CHECK(info.item<int64_t>() == 0, NumericError,
             "keys of edits: expected finite numbers and a positive definite system of size ",
             keys.size(1), ", found one that is singular from row ", info.item<int64_t>());
  return factor;
}

}  // namespace

KeySystem::KeySystem(const at::Tensor& matrix, const std::string& place) {
  auto [factor, info] = at::linalg_cholesky_ex(matrix);
  XKDE_CHECK(info.item<int64_t>() == 0, DataError, place,
             ": expected a positive definite matrix of width ", matrix.size(0),
             ", found one that is singular from row ", info.item<int64_t>(),
             "; collect it over more tokens than its width");
  inverse_ = at::cholesky_inverse(factor);
}

at::Tensor KeySystem::solve(const at::Tensor& vectors) const { return inverse_.matmul(vectors); }

at::Tensor KeySystem::change(const at::Tensor& keys, const at::Tensor& residuals,
                             double ridge) const {
  const at::Tensor solved = solve(keys);  // [F, u]
  const at::Tensor factor = factor_of(keys, solved, ridge);
  return residuals.matmul(at::cholesky_solve(solved.t(), factor));
}

void KeySystem::remember(const at::Tensor& keys) {
  const at::Tensor solved = solve(keys);
  const at::Tensor factor = factor_of(keys, solved, 1.0);
  // F S⁻¹ Fᵀ = GᵀG: what is taken away stays symmetric.
  const at::Tensor half = at::linalg_solve_triangular(factor, solved.t(), /*upper=*/false);
  // A new tensor: others may hold the inverse as it was, to go back to it.
  inverse_ = at::addmm(inverse_, half.t(), half, 1.0, -1.0);
}

at::Tensor null_space(const at::Tensor& matrix, double threshold, const std::string& place) {
  const auto [values, vectors] = at::linalg_eigh(matrix);  // ascending
  const int64_t count = (values < threshold).sum().item<int64_t>();
  XKDE_CHECK(count > 0, DataError, place, ": expected eigenvalues below null_threshold ", threshold,
             ", found none; the smallest is ", values[0].item<double>());
  return vectors.narrow(1, 0, count).contiguous();
}

}  // namespace xkde
