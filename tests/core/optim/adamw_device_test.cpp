#include "core/optim/adamw_device.h"

#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a.cpu() - b.cpu()).abs().max().item<double>();
}

/// Five steps of both, the device's kernel on `device`; the last 100 elements are padding.
void expect_equal_steps(at::Device device) {
  constexpr int64_t kNumel = 70'000;
  const AdamWOptions options{.weight_decay = 0.1};
  const std::vector<DecayRange> ranges = {
      {0, 1001, false}, {1001, 50'000, true}, {50'000, kNumel - 100, false}};
  at::manual_seed(3);
  at::Tensor expected = at::randn({kNumel});
  at::Tensor master = expected.clone().to(device);
  AdamW optimizer(kNumel, options, ranges);
  at::Tensor exp_avg = at::zeros_like(master);
  at::Tensor exp_avg_sq = at::zeros_like(master);

  for (int64_t step = 1; step <= 5; ++step) {
    const at::Tensor gradient = at::randn({kNumel});
    const at::Tensor scale = at::scalar_tensor(step % 2 == 0 ? 1.0 : 0.3, at::kDouble);
    optimizer.step(expected, gradient, 1e-2, scale);
    adamw_on_device(master, exp_avg, exp_avg_sq, gradient.to(device).clone(), ranges, options, step,
                    1e-2, scale.to(device));
  }

  // fp32 in another order: a few units in the last place of values up to 4.
  EXPECT_LT(distance(master, expected), 2e-6);
  EXPECT_LT(distance(exp_avg, optimizer.state()[0].second), 1e-6);
  EXPECT_LT(distance(exp_avg_sq, optimizer.state()[1].second), 1e-6);
  EXPECT_EQ(distance(master.narrow(0, kNumel - 100, 100), expected.narrow(0, kNumel - 100, 100)),
            0);
}

TEST(AdamWOnDevice, EqualsTheCpuLoop) { expect_equal_steps(at::kCPU); }

TEST(AdamWOnDevice, EqualsTheCpuLoopOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "needs a GPU, and a build that links LibTorch's CUDA half";
  expect_equal_steps(at::Device(at::kCUDA, 0));
}

TEST(SumOfSquares, EqualsTheCpuSumOnAGpu) {
  if (!at::hasCUDA()) GTEST_SKIP() << "needs a GPU, and a build that links LibTorch's CUDA half";
  const at::Tensor values = at::randn({(int64_t{1} << 24) + 12'345});  // more than one piece

  // fp64 sums in another order.
  const at::Tensor on_gpu = sum_of_squares(values.to(at::Device(at::kCUDA, 0)));
  EXPECT_NEAR(on_gpu.item<double>() / sum_of_squares(values).item<double>(), 1.0, 1e-12);
}

}  // namespace
}  // namespace xkde
