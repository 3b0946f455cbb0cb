#include "core/nn/matmul_rate.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/stopwatch.h"

namespace xkde {

namespace {

/// Operations a second over `products` products of size^3 that are waited for together.
double rate_of(at::Tensor& out, const at::Tensor& a, int products) {
  const auto size = static_cast<double>(a.size(0));
  const Stopwatch watch;
  for (int i = 0; i < products; ++i) at::matmul_out(out, a, a);
  // Reading a value waits for a device that works asynchronously.
  [[maybe_unused]] const float corner = out[0][0].item<float>();
  return 2.0 * size * size * size * products / watch.seconds();
}

}  // namespace

double measure_matmul_rate(at::ScalarType dtype, at::Device device) {
  // A GPU is full, and the wait small beside the work, only with larger and more products.
  const int64_t size = device.is_cpu() ? 1024 : 8192;
  const int products = device.is_cpu() ? 1 : 10;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  // Ones and zeros draw less power than what a model multiplies, and GPUs then clock higher.
  const at::Tensor a =
      device.is_cpu() ? at::ones({size, size}, options) : at::randn({size, size}, options);
  at::Tensor out = at::matmul(a, a);
  double best = 0.0;
  const Stopwatch whole;
  for (int round = 0; round < 3 || whole.seconds() < 0.1; ++round) {
    best = std::max(best, rate_of(out, a, products));
  }
  return best;
}

}  // namespace xkde
