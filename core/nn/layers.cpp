#include "core/nn/layers.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/ScalarTypeToTypeMeta.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/nn/kernels/cpu_kernels.h"

namespace xkde {
namespace {

using c10::BFloat16;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 16;

/// Whether the fused loops take them.
bool has_kernels(at::ScalarType dtype, at::Device device) {
  return device.is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16);
}
bool has_kernels(const at::Tensor& x) {
  return x.dim() == 2 && has_kernels(x.scalar_type(), x.device());
}

int64_t bytes_of(at::ScalarType dtype) { return static_cast<int64_t>(c10::elementSize(dtype)); }

template <typename T, bool kPlusOne>
struct RmsNorm : torch::autograd::Function<RmsNorm<T, kPlusOne>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            double eps) {
    const int64_t width = x.size(1);
    at::Tensor out = at::empty_like(x);
    at::Tensor scale = at::empty({x.size(0)}, x.options().dtype(at::kFloat));
    const T* from = x.const_data_ptr<T>();
    const T* w = weight.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    float* s = scale.mutable_data_ptr<float>();
    at::parallel_for(0, x.size(0), kRowsPerTask, [&](int64_t begin, int64_t end) {
      const auto run = kPlusOne ? Forward(cpu::rms_norm_plus_one) : Forward(cpu::rms_norm);
      run(from + begin * width, w, to + begin * width, s + begin, end - begin, width,
          static_cast<float>(eps));
    });
    context->save_for_backward({x, weight, scale});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &weight = saved[1], &scale = saved[2];
    const at::Tensor grad = gradients[0].contiguous();
    const int64_t rows = x.size(0);
    const int64_t width = x.size(1);
    at::Tensor x_grad = at::empty_like(x);
    // Partial sums by blocks of rows, added in their order: the same for any number of threads.
    constexpr int64_t kBlock = 128;
    const int64_t blocks = (rows + kBlock - 1) / kBlock;
    at::Tensor partial = at::zeros({blocks, width}, x.options().dtype(at::kFloat));
    at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        const int64_t first = block * kBlock;
        const int64_t at = first * width;
        const auto run =
            kPlusOne ? Backward(cpu::rms_norm_plus_one_backward) : Backward(cpu::rms_norm_backward);
        run(grad.const_data_ptr<T>() + at, x.const_data_ptr<T>() + at, weight.const_data_ptr<T>(),
            scale.const_data_ptr<float>() + first, x_grad.mutable_data_ptr<T>() + at,
            partial.mutable_data_ptr<float>() + block * width, std::min(kBlock, rows - first),
            width);
      }
    });
    return {x_grad, partial.sum(0).to(weight.scalar_type()), at::Tensor()};
  }

 private:
  using Forward = void (*)(const T*, const T*, T*, float*, int64_t, int64_t, float);
  using Backward = void (*)(const T*, const T*, const T*, const float*, T*, float*, int64_t,
                            int64_t);
};

/// A norm, by the fused loops where they take it.
template <bool kPlusOne>
at::Tensor fused_rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const at::Tensor rows = x.contiguous();
  if (x.scalar_type() == at::kFloat) return RmsNorm<float, kPlusOne>::apply(rows, weight, eps);
  return RmsNorm<BFloat16, kPlusOne>::apply(rows, weight, eps);
}
bool has_kernels(const at::Tensor& x, const at::Tensor& weight) {
  return has_kernels(x) && weight.scalar_type() == x.scalar_type();
}

/// x / rms(x), in fp32.
at::Tensor divided_by_rms(const at::Tensor& x, double eps) {
  const at::Tensor wide = x.to(at::kFloat);
  return wide * wide.square().mean({-1}, /*keepdim=*/true).add(eps).rsqrt();
}

enum class Activation { kSilu, kGeluTanh };

template <typename T, Activation kActivation>
struct Gated : torch::autograd::Function<Gated<T, kActivation>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate_up) {
    const int64_t width = gate_up.size(1) / 2;
    at::Tensor out = at::empty({gate_up.size(0), width}, gate_up.options());
    const T* from = gate_up.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    at::parallel_for(0, gate_up.size(0), kRowsPerTask, [&](int64_t begin, int64_t end) {
      const auto run =
          kActivation == Activation::kSilu ? Forward(cpu::swiglu) : Forward(cpu::geglu);
      run(from + 2 * begin * width, to + begin * width, end - begin, width);
    });
    context->save_for_backward({gate_up});
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor gate_up = context->get_saved_variables()[0];
    const at::Tensor grad = gradients[0].contiguous();
    const int64_t width = grad.size(1);
    at::Tensor gate_up_grad = at::empty_like(gate_up);
    const T* from = gate_up.const_data_ptr<T>();
    const T* g = grad.const_data_ptr<T>();
    T* to = gate_up_grad.mutable_data_ptr<T>();
    at::parallel_for(0, grad.size(0), kRowsPerTask, [&](int64_t begin, int64_t end) {
      const auto run = kActivation == Activation::kSilu ? Backward(cpu::swiglu_backward)
                                                        : Backward(cpu::geglu_backward);
      run(g + begin * width, from + 2 * begin * width, to + 2 * begin * width, end - begin, width);
    });
    return {gate_up_grad};
  }

 private:
  using Forward = void (*)(const T*, T*, int64_t, int64_t);
  using Backward = void (*)(const T*, const T*, T*, int64_t, int64_t);
};

template <Activation kActivation>
at::Tensor gated(const at::Tensor& gate_up) {
  if (has_kernels(gate_up)) {
    const at::Tensor rows = gate_up.contiguous();
    if (gate_up.scalar_type() == at::kFloat) return Gated<float, kActivation>::apply(rows);
    return Gated<BFloat16, kActivation>::apply(rows);
  }
  const int64_t width = gate_up.size(-1) / 2;
  const std::vector<at::Tensor> halves = gate_up.split_with_sizes({width, width}, -1);
  const at::Tensor active =
      kActivation == Activation::kSilu ? at::silu(halves[0]) : at::gelu(halves[0], "tanh");
  return active * halves[1];
}

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (has_kernels(x, weight)) return fused_rms_norm<false>(x, weight, eps);
  return weight * divided_by_rms(x, eps).to(x.scalar_type());
}

at::Tensor rms_norm_plus_one(const at::Tensor& x, const at::Tensor& weight, double eps) {
  if (has_kernels(x, weight)) return fused_rms_norm<true>(x, weight, eps);
  return (divided_by_rms(x, eps) * (weight.to(at::kFloat) + 1.0)).to(x.scalar_type());
}

int64_t rms_norm_saved_bytes(int64_t rows, int64_t width, at::ScalarType dtype, at::Device device,
                             bool plus_one) {
  const int64_t x = bytes_of(dtype) * rows * width;
  const int64_t scale = bytes_of(at::kFloat) * rows;
  if (has_kernels(dtype, device)) return x + scale;
  // LibTorch's operations also keep the row in fp32, unless it is, and the row by its scale,
  // which the norm of Gemma has in fp32, too.
  const int64_t wide = dtype == at::kFloat ? 0 : bytes_of(at::kFloat) * rows * width;
  return x + scale + wide + (plus_one ? bytes_of(at::kFloat) * rows * width : x);
}

at::Tensor swiglu(const at::Tensor& gate_up) { return gated<Activation::kSilu>(gate_up); }

at::Tensor geglu(const at::Tensor& gate_up) { return gated<Activation::kGeluTanh>(gate_up); }

int64_t swiglu_saved_bytes(int64_t rows, int64_t width, at::ScalarType dtype, at::Device device) {
  const int64_t half = bytes_of(dtype) * rows * width;
  return has_kernels(dtype, device) ? 2 * half : 3 * half;  // LibTorch's keep the active gate, too
}

at::Tensor soft_capped(const at::Tensor& x, double cap) {
  if (cap == 0.0) return x;
  const at::Tensor wide = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  return (wide / cap).tanh() * cap;
}

}  // namespace xkde
