#include "core/editing/key_system.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

at::Tensor random(std::vector<int64_t> shape, uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble));
}

/// A symmetric positive definite matrix.
at::Tensor moments(int64_t width) {
  const at::Tensor rows = random({4 * width, width}, 1);
  return rows.t().matmul(rows) / static_cast<double>(4 * width);
}

double distance(const at::Tensor& one, const at::Tensor& other) {
  return ((one - other).norm() / other.norm()).item<double>();
}

constexpr double kRounding = 1e-10;  // of fp64 systems of this size

TEST(KeySystem, ChangeIsTheSolutionOfTheWholeSystem) {
  const at::Tensor a = moments(12);
  const at::Tensor keys = random({12, 5}, 2), residuals = random({7, 5}, 3);

  const at::Tensor change = KeySystem(a, "a").change(keys, residuals);

  const at::Tensor whole = a + keys.matmul(keys.t());
  const at::Tensor direct = residuals.matmul(keys.t()).matmul(at::linalg_inv(whole));
  EXPECT_LT(distance(change, direct), kRounding);
}

TEST(KeySystem, ChangeIsTheSameForMoreKeysThanTheirWidth) {
  const at::Tensor a = moments(6);
  const at::Tensor keys = random({6, 20}, 2), residuals = random({3, 20}, 3);

  const at::Tensor change = KeySystem(a, "a").change(keys, residuals);

  const at::Tensor direct =
      residuals.matmul(keys.t()).matmul(at::linalg_inv(a + keys.matmul(keys.t())));
  EXPECT_LT(distance(change, direct), kRounding);
}

TEST(KeySystem, ASmallRidgeMapsKeysToTheirResiduals) {
  const at::Tensor keys = random({12, 5}, 2), residuals = random({7, 5}, 3);

  const at::Tensor change = KeySystem(moments(12), "a").change(keys, residuals, 1e-12);

  EXPECT_LT(distance(change.matmul(keys), residuals), 1e-8);
}

TEST(KeySystem, RememberedKeysAreInTheSystem) {
  const at::Tensor a = moments(12);
  KeySystem system(a, "a");
  at::Tensor whole = a.clone();
  for (uint64_t batch = 0; batch < 50; ++batch) {
    const at::Tensor keys = random({12, 3}, 10 + batch);
    system.remember(keys);
    whole.add_(keys.matmul(keys.t()));
  }

  EXPECT_LT(distance(system.inverse(), at::linalg_inv(whole)), kRounding);
}

TEST(KeySystem, RememberingLeavesAnEarlierInverseAsItWas) {
  KeySystem system(moments(8), "a");
  const at::Tensor before = system.inverse();
  const at::Tensor copy = before.clone();

  system.remember(random({8, 2}, 4));

  EXPECT_TRUE(at::equal(before, copy));
  EXPECT_FALSE(at::equal(system.inverse(), copy));
}

/// (P(KKᵀ + Kp) + l2 I) X = P K Rᵀ, which is not symmetric, solved as it stands.
TEST(KeySystem, TheReducedFormIsAlphaEditsSolution) {
  constexpr double kL2 = 10.0;
  const at::Tensor basis = null_space(moments(12), 0.8, "a");  // [F, r]
  const at::Tensor projection = basis.matmul(basis.t());
  const at::Tensor earlier = random({12, 4}, 5);
  const at::Tensor keys = random({12, 5}, 2), residuals = random({7, 5}, 3);

  KeySystem system(at::eye(basis.size(1), basis.options()) * kL2, "a");
  system.remember(basis.t().matmul(earlier));
  const at::Tensor change = system.change(basis.t().matmul(keys), residuals).matmul(basis.t());

  const at::Tensor left = projection.matmul(keys.matmul(keys.t()) + earlier.matmul(earlier.t())) +
                          kL2 * at::eye(12, at::kDouble);
  const at::Tensor right = projection.matmul(keys).matmul(residuals.t());
  EXPECT_LT(distance(change, at::linalg_solve(left, right).t()), kRounding);
}

TEST(KeySystem, RejectsASingularMatrix) {
  const at::Tensor rows = random({3, 8}, 1);  // fewer tokens than their width

  EXPECT_THAT([&] { KeySystem(rows.t().matmul(rows), "layer 5"); },
              ThrowsMessage<DataError>(HasSubstr(
                  "layer 5: expected a positive definite matrix of width 8, found one that is "
                  "singular")));
}

TEST(KeySystem, RejectsKeysThatAreNotFinite) {
  at::Tensor keys = random({8, 2}, 1);
  keys[3][1] = NAN;

  EXPECT_THAT(
      [&] {
        KeySystem(moments(8), "a").change(keys, random({4, 2}, 2));
      },
      ThrowsMessage<NumericError>(HasSubstr("keys of edits: expected finite numbers")));
}

TEST(NullSpace, RejectsAThresholdBelowAllEigenvalues) {
  EXPECT_THAT(
      [] { null_space(at::eye(4, at::kDouble), 0.5, "layer 5"); },
      ThrowsMessage<DataError>(HasSubstr(
          "layer 5: expected eigenvalues below null_threshold 0.5, found none; the smallest "
          "is 1")));
}

}  // namespace
}  // namespace xkde
