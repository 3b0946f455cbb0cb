#include "core/nn/layers.h"

#include <ATen/ATen.h>

namespace xkde {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  const at::Tensor scale = wide.square().mean({-1}, /*keepdim=*/true).add(eps).rsqrt();
  return weight * (wide * scale).to(x.scalar_type());
}

at::Tensor swiglu(const at::Tensor& gate_up) {
  const int64_t width = gate_up.size(-1) / 2;
  const std::vector<at::Tensor> halves = gate_up.split_with_sizes({width, width}, -1);
  return at::silu(halves[0]) * halves[1];
}

}  // namespace xkde
