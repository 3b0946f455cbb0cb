#include "core/nn/products.h"

#include <algorithm>
#include <array>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/util/accumulate.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/base/stopwatch.h"
#include "core/nn/kernels/narrow_kernels.h"

namespace xkde {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Of the longest side of a product, this much is in fp32 at once: enough that converting what is
/// not cut costs little beside the product.
constexpr int64_t kBlock = 1024;
/// Of one operand of a batch of products.
constexpr int64_t kBatchElements = int64_t{1} << 20;

/// As LibTorch asks before it gives bf16 to oneDNN.
bool lacks_bf16_products() {
#if defined(__x86_64__)
  return !(__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq"));
#else
  return false;
#endif
}

bool& widening() {
  static bool widens = lacks_bf16_products();
  return widens;
}

bool is_widened(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 && x.is_cpu() && widens_products();
}

/// fp32 rows that a thread writes again and again: made anew for each product, they would leave
/// holes between what a pass keeps, which measured 0.2 GB for a LoRA step of 135 million
/// parameters.
enum Scratch : size_t { kLeft, kRight, kSum, kNumScratch };
/// Larger ones are not kept; the allocator gives them back to the system at once.
constexpr int64_t kKeptElements = int64_t{8} << 20;

at::Tensor scratch(Scratch place, at::IntArrayRef sizes) {
  thread_local std::array<at::Tensor, kNumScratch> kept;
  const int64_t numel = c10::multiply_integers(sizes);
  if (numel > kKeptElements) return at::empty(sizes, at::kFloat);
  at::Tensor& own = kept[place];
  if (!own.defined() || own.numel() < numel) own = at::empty({numel}, at::kFloat);
  return own.narrow(0, 0, numel).view(sizes);
}

/// x in fp32, in a scratch of this thread's and in x's order of dimensions.
at::Tensor wide(Scratch place, const at::Tensor& x) {
  const bool turned = x.stride(-2) == 1 && x.stride(-1) != 1;
  const at::Tensor rows = turned ? x.transpose(-2, -1) : x;
  const at::Tensor copy = scratch(place, rows.sizes()).copy_(rows);
  return turned ? copy.transpose(-2, -1) : copy;
}

/// Calls `body(begin, count)` for blocks of a side.
template <typename Body>
void for_blocks(int64_t size, const Body& body) {
  for (int64_t begin = 0; begin < size; begin += kBlock) {
    body(begin, std::min(kBlock, size - begin));
  }
}

/// out = keep out + scale a b, rounded once.
void write_block(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, double keep,
                 double scale) {
  at::Tensor sum = scratch(kSum, out.sizes());
  if (keep != 0.0) sum.copy_(out);
  sum.addmm_(a, b, /*beta=*/keep, /*alpha=*/scale);
  out.copy_(sum);
}

/// write_block() of bf16 a [M, K] and b [K, N], which are made fp32 along the longest side.
void write_product(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, double keep,
                   double scale) {
  const int64_t m = a.size(0);
  const int64_t k = a.size(1);
  const int64_t n = b.size(1);
  if (k > std::max({m, n, kBlock})) {
    at::Tensor sum = scratch(kSum, out.sizes());
    keep != 0.0 ? sum.copy_(out) : sum.zero_();
    for_blocks(k, [&](int64_t begin, int64_t count) {
      sum.addmm_(wide(kLeft, a.narrow(1, begin, count)), wide(kRight, b.narrow(0, begin, count)),
                 /*beta=*/1,
                 /*alpha=*/scale);
    });
    out.copy_(sum);
  } else if (n >= m) {
    const at::Tensor left = wide(kLeft, a);
    for_blocks(n, [&](int64_t begin, int64_t count) {
      write_block(out.narrow(1, begin, count), left, wide(kRight, b.narrow(1, begin, count)), keep,
                  scale);
    });
  } else {
    const at::Tensor right = wide(kRight, b);
    for_blocks(m, [&](int64_t begin, int64_t count) {
      write_block(out.narrow(0, begin, count), wide(kLeft, a.narrow(0, begin, count)), right, keep,
                  scale);
    });
  }
}

at::Tensor wide_product(const at::Tensor& a, const at::Tensor& b) {
  if (a.dim() == 2) {
    at::Tensor out = at::empty({a.size(0), b.size(1)}, a.options());
    write_product(out, a, b, /*keep=*/0.0, /*scale=*/1.0);
    return out;
  }
  const int64_t batch = a.size(0);
  at::Tensor out = at::empty({batch, a.size(1), b.size(2)}, a.options());
  const int64_t largest = std::max({a.numel(), b.numel(), out.numel(), int64_t{1}});
  const int64_t step = std::max<int64_t>(1, kBatchElements * batch / largest);
  for (int64_t begin = 0; begin < batch; begin += step) {
    const int64_t count = std::min(step, batch - begin);
    at::Tensor sum = scratch(kSum, {count, a.size(1), b.size(2)});
    at::bmm_out(sum, wide(kLeft, a.narrow(0, begin, count)),
                wide(kRight, b.narrow(0, begin, count)));
    out.narrow(0, begin, count).copy_(sum);
  }
  return out;
}

struct WideLinear : torch::autograd::Function<WideLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias) {
    context->saved_data["has_bias"] = bias.has_value();
    context->save_for_backward({x, weight});
    if (!bias) return wide_product(x, weight.t());
    const at::Tensor out =
        bias->expand({x.size(0), weight.size(0)}).clone(at::MemoryFormat::Contiguous);
    write_product(out, x, weight.t(), /*keep=*/1.0, /*scale=*/1.0);
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& grad = gradients[0];
    variable_list result(3);
    if (context->needs_input_grad(0)) result[0] = wide_product(grad, saved[1]);
    if (context->needs_input_grad(1)) result[1] = wide_product(grad.t(), saved[0]);
    const bool has_bias = context->saved_data["has_bias"].toBool();
    if (has_bias && context->needs_input_grad(2)) result[2] = grad.sum(0);
    return result;
  }
};

/// Rows up to which a product takes as long as reading the weights does. LibTorch's product of fp32
/// packs weights first, which costs more than such a product itself.
constexpr int64_t kNarrowRows = 32;
/// Smaller matrices stay in the caches.
constexpr int64_t kNarrowNumel = int64_t{1} << 15;

/// For tests: nothing, or whether narrow products have kernels of their own.
std::optional<bool>& narrowing() {
  static std::optional<bool> asked;
  return asked;
}

bool has_narrow_kernels() {
#if defined(__x86_64__)
  static const bool has_vectors =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
  return narrowing().value_or(has_vectors);
#else
  return narrowing().value_or(false);
#endif
}

/// Whether x [T, ...] by the elements of `weight`, in either order, is such a product.
bool is_narrow(const at::Tensor& x, const at::Tensor& weight) {
  const auto is_plain = [](const at::Tensor& one) {
    return one.is_cpu() && one.scalar_type() == at::kFloat && one.dim() == 2 && one.is_contiguous();
  };
  return is_plain(x) && is_plain(weight) && x.size(0) > 0 && x.size(0) <= kNarrowRows &&
         weight.numel() >= kNarrowNumel && has_narrow_kernels();
}

/// `body(first, last)` by all threads, in whole `unit`s of [0, size) but for the last one.
template <typename Body>
void for_parts(int64_t size, int64_t unit, const Body& body) {
  const int64_t units = (size + unit - 1) / unit;
  at::parallel_for(0, units, 1, [&](int64_t begin, int64_t end) {
    body(begin * unit, std::min(size, end * unit));
  });
}

/// x [T, I] by weight [O, I] -> [T, O].
at::Tensor narrow_forward(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t outer = weight.size(0);
  at::Tensor out = at::empty({x.size(0), outer}, x.options());
  const float *from = x.const_data_ptr<float>(), *by = weight.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  for_parts(outer, 4, [&](int64_t first, int64_t last) {
    cpu::narrow_product(from, x.size(0), by, x.size(1), outer, first, last, to);
  });
  return out;
}

/// x [T, O] by weight [O, I] -> [T, I].
at::Tensor narrow_back(const at::Tensor& x, const at::Tensor& weight) {
  const int64_t outer = weight.size(0), inner = weight.size(1);
  at::Tensor out = at::empty({x.size(0), inner}, x.options());
  const float *from = x.const_data_ptr<float>(), *by = weight.const_data_ptr<float>();
  float* to = out.mutable_data_ptr<float>();
  for_parts(inner, 64, [&](int64_t first, int64_t last) {
    cpu::narrow_product_back(from, x.size(0), by, inner, outer, first, last, to);
  });
  return out;
}

struct NarrowLinear : torch::autograd::Function<NarrowLinear> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& weight) {
    context->save_for_backward({x, weight});
    return narrow_forward(x, weight);
  }
  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor grad = gradients[0].contiguous();
    variable_list result(2);
    if (context->needs_input_grad(0)) result[0] = narrow_back(grad, saved[1]);
    if (context->needs_input_grad(1)) result[1] = at::mm(grad.t(), saved[0]);
    return result;
  }
};

bool has_graph(const at::Tensor& a, const at::Tensor& b) {
  return c10::GradMode::is_enabled() && (a.requires_grad() || b.requires_grad());
}

at::Tensor narrow_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor out =
      has_graph(x, weight) ? NarrowLinear::apply(x, weight) : narrow_forward(x, weight);
  return bias.defined() ? out + bias : out;
}

/// Operations a second over `products` products of size^3 that are waited for together.
double rate_of(const at::Tensor& a, int products) {
  const auto size = static_cast<double>(a.size(0));
  at::Tensor out;
  const Stopwatch watch;
  for (int i = 0; i < products; ++i) out = product(a, a);
  // Reading a value waits for a device that works asynchronously.
  [[maybe_unused]] const float corner = out[0][0].item<float>();
  return 2.0 * size * size * size * products / watch.seconds();
}

}  // namespace

bool widens_products() { return widening(); }

void set_widens_products(bool widens) { widening() = widens; }

void set_narrow_kernels(std::optional<bool> has) { narrowing() = has; }

at::Tensor plain_product(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  if (is_narrow(x, weight)) return narrow_linear(x, weight, bias);
  const auto given = bias.defined() ? std::make_optional(bias) : std::nullopt;
  return is_widened(x) ? WideLinear::apply(x, weight, given) : at::linear(x, weight, given);
}

at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (is_widened(a)) return wide_product(a, b);
  if (b.dim() == 2 && !has_graph(a, b)) {
    if (is_narrow(a, b)) return narrow_back(a, b);
    if (is_narrow(a, b.t())) return narrow_forward(a, b.t());
  }
  return a.dim() == 2 ? at::mm(a, b) : at::bmm(a, b);
}

void add_product(at::Tensor out, const at::Tensor& a, const at::Tensor& b, double scale) {
  if (is_widened(a)) {
    write_product(out, a, b, /*keep=*/1.0, scale);
  } else {
    out.addmm_(a, b, /*beta=*/1, /*alpha=*/scale);
  }
}

at::Tensor widened(const at::Tensor& x) { return is_widened(x) ? x.to(at::kFloat) : x; }

at::Tensor weighted_values(const at::Tensor& weights, const at::Tensor& values) {
  const at::ScalarType dtype = values.scalar_type();
  return at::matmul(widened(weights.to(dtype)), widened(values)).to(dtype);
}

double measure_matmul_rate(at::ScalarType dtype, at::Device device) {
  // A GPU is full, and the wait small beside the work, only with larger and more products.
  const int64_t size = device.is_cpu() ? 1024 : 8192;
  const int products = device.is_cpu() ? 1 : 10;
  const auto options = at::TensorOptions().dtype(dtype).device(device);
  // Ones and zeros draw less power than what a model multiplies, and GPUs then clock higher.
  const at::Tensor a =
      device.is_cpu() ? at::ones({size, size}, options) : at::randn({size, size}, options);
  [[maybe_unused]] const at::Tensor warm = product(a, a);
  double best = 0.0;
  const Stopwatch whole;
  for (int round = 0; round < 3 || whole.seconds() < 0.1; ++round) {
    best = std::max(best, rate_of(a, products));
  }
  return best;
}

}  // namespace xkde
