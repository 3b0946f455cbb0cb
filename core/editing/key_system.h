#ifndef XKDE_CORE_EDITING_KEY_SYSTEM_H_
#define XKDE_CORE_EDITING_KEY_SYSTEM_H_

#include <string>
#include <utility>

#include <ATen/core/Tensor.h>

namespace xkde {

/// The least squares of the closed-form editors (docs/decisions/0009-editors.md): a symmetric
/// positive definite A [F, F], held as its inverse, that grows by the keys which are remembered.
/// All of it is fp64. A change costs F² for each key, however many keys came before.
class KeySystem {
 public:
  /// A = `matrix`, fp64 [F, F], of which the lower triangle is read. Throws DataError, which begins
  /// with `place`, where it is not positive definite.
  KeySystem(const at::Tensor& matrix, const std::string& place);
  /// From what inverse() gave.
  explicit KeySystem(at::Tensor inverse) : inverse_(std::move(inverse)) {}

  /// R S⁻¹ Fᵀ with F = A⁻¹K and S = ridge I + KᵀF, fp64 [D, F]; `keys` fp64 [F, u] and `residuals`
  /// fp64 [D, u] with one column for each edit, ridge > 0. With ridge 1 this is R Kᵀ(A + KKᵀ)⁻¹.
  /// Throws NumericError where a key is not finite.
  at::Tensor change(const at::Tensor& keys, const at::Tensor& residuals, double ridge = 1.0) const;
  /// A <- A + KKᵀ. What inverse() gave before stays as it is.
  void remember(const at::Tensor& keys);
  /// A⁻¹ `vectors`, fp64 [F, u].
  at::Tensor solve(const at::Tensor& vectors) const;

  const at::Tensor& inverse() const noexcept { return inverse_; }
  int64_t width() const { return inverse_.size(0); }

 private:
  at::Tensor inverse_;
};

/// The eigenvectors, fp64 [F, r] as columns, of a symmetric fp64 [F, F] whose eigenvalues are below
/// `threshold`. Throws DataError, which begins with `place`, where there are none.
at::Tensor null_space(const at::Tensor& matrix, double threshold, const std::string& place);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_KEY_SYSTEM_H_
