#include "recipes/stages/matmul_rate.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/stopwatch.h"

namespace xkde::recipe {

double measure_matmul_rate(at::ScalarType dtype, at::Device device) {
  constexpr int64_t kSize = 1024;
  constexpr double kOperations = 2.0 * kSize * kSize * kSize;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  const at::Tensor a = at::ones({kSize, kSize}, options);
  at::Tensor out = at::matmul(a, a);
  double best = 0.0;
  const Stopwatch whole;
  for (int round = 0; round < 3 || whole.seconds() < 0.1; ++round) {
    const Stopwatch watch;
    at::matmul_out(out, a, a);
    // Reading a value waits for a device that works asynchronously.
    [[maybe_unused]] const float corner = out[0][0].item<float>();
    best = std::max(best, kOperations / watch.seconds());
  }
  return best;
}

}  // namespace xkde::recipe
