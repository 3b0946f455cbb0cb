#include "core/optim/adamw.h"

#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

at::Tensor ramp(int64_t numel, double slope, double start) {
  return at::arange(numel, at::TensorOptions().dtype(at::kDouble))
      .mul(slope)
      .add(start)
      .to(at::kFloat);
}

/// The textbook update in fp64, one element.
struct Reference {
  double value, m = 0, v = 0;
  int t = 0;
  void step(double g, double rate, double decay) {
    ++t;
    value *= 1 - rate * decay;
    m = 0.9 * m + 0.1 * g;
    v = 0.95 * v + 0.05 * g * g;
    const double m_hat = m / (1 - std::pow(0.9, t));
    const double v_hat = v / (1 - std::pow(0.95, t));
    value -= rate * m_hat / (std::sqrt(v_hat) + 1e-8);
  }
};

TEST(AdamW, EqualsTheTextbookOnEveryElement) {
  constexpr int64_t kNumel = 200003;  // more than one thread's grain, and odd
  at::Tensor master = ramp(kNumel, 1e-4, -3.0);
  AdamW optimizer(kNumel, {.weight_decay = 0.1}, {{0, 1000, false}, {1000, kNumel, true}});
  const std::vector<int64_t> watched = {0, 1, 999, 1000, 77777, kNumel - 1};
  std::vector<Reference> references;
  for (const int64_t i : watched) references.push_back({master[i].item<double>()});

  for (int step = 0; step < 5; ++step) {
    const at::Tensor gradient = ramp(kNumel, 1e-5 * (step + 1), -0.7);
    optimizer.step(master, gradient, 1e-2, at::scalar_tensor(0.5, at::kDouble));
    for (size_t k = 0; k < watched.size(); ++k) {
      const double g = gradient[watched[k]].item<double>() * 0.5;
      references[k].step(g, 1e-2, watched[k] < 1000 ? 0.0 : 0.1);
    }
  }

  for (size_t k = 0; k < watched.size(); ++k) {
    // fp32 state against fp64: a few units in the last place.
    EXPECT_NEAR(master[watched[k]].item<double>(), references[k].value,
                4e-7 * (1 + std::abs(references[k].value)))
        << watched[k];
  }
}

TEST(AdamW, LeavesPaddingUntouched) {
  at::Tensor master = at::ones({32});
  AdamW optimizer(32, {}, {{0, 20, true}});

  optimizer.step(master, at::ones({32}), 0.1, at::scalar_tensor(1.0, at::kDouble));

  EXPECT_LT(master[19].item<float>(), 1.0F);
  EXPECT_EQ(master[20].item<float>(), 1.0F);
}

TEST(SumOfSquares, IsExactToDoublePrecision) {
  const at::Tensor values = at::full({300001}, 0.1, at::kFloat);

  const double one = static_cast<double>(0.1F) * static_cast<double>(0.1F);
  EXPECT_NEAR(sum_of_squares(values).item<double>(), 300001 * one, 1e-7);
  EXPECT_EQ(sum_of_squares(at::empty({0})).item<double>(), 0.0);
}

TEST(ClipScale, ShortensOnlyWhatIsTooLong) {
  const auto scale = [](double norm) {
    return clip_scale(at::scalar_tensor(norm, at::kDouble), 2.0).item<double>();
  };

  EXPECT_EQ(scale(1.0), 1.0);
  EXPECT_NEAR(scale(8.0), 0.25, 1e-6);
  EXPECT_TRUE(std::isnan(scale(std::nan(""))));
}

}  // namespace
}  // namespace xkde
