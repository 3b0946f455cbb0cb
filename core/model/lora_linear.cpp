#include "core/model/lora_linear.h"

#include <cmath>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/nn/products.h"

namespace xkde {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRowsPerTask = 16;

uint64_t mixed(uint64_t z) {
  z += 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// Columns [k r, (k + 1) r) of x a'.
at::Tensor part(const at::Tensor& low, size_t k, const at::Tensor& b) {
  const int64_t r = b.size(1);
  return low.narrow(1, static_cast<int64_t>(k) * r, r);
}

/// The adapters' products beside that of a frozen weight, as one operation: autograd's own would
/// copy the result once for each adapter.
struct LoraLinear : torch::autograd::Function<LoraLinear> {
  // NOLINTNEXTLINE(readability-function-size): what a Function saves is what it is given
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const std::optional<at::Tensor>& bias,
                            const std::optional<at::Tensor>& factors, const at::Tensor& a,
                            at::TensorList b, const std::vector<RowRange>& rows, double scale) {
    const at::Tensor kept = factors ? x * *factors : x;
    at::Tensor out = plain_product(x, weight, bias.value_or(at::Tensor()));
    const at::Tensor low = plain_product(kept, a);  // [T, K r]
    for (size_t k = 0; k < b.size(); ++k) {
      add_product(out.narrow(1, rows[k].begin, rows[k].count), part(low, k, b[k]), b[k].t(), scale);
    }
    variable_list saved{kept, weight, factors.value_or(at::Tensor()), a, low};
    saved.insert(saved.end(), b.begin(), b.end());
    context->save_for_backward(std::move(saved));
    c10::List<int64_t> ranges;
    for (const RowRange& range : rows) {
      ranges.push_back(range.begin);
      ranges.push_back(range.count);
    }
    context->saved_data["rows"] = ranges;
    context->saved_data["scale"] = scale;
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    constexpr size_t kBefore = 5;  // of what is saved: all but the adapters' second matrices
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &kept = saved[0], &weight = saved[1], &factors = saved[2], &a = saved[3],
                     &low = saved[4];
    const size_t count = saved.size() - kBefore;
    const c10::List<int64_t> ranges = context->saved_data["rows"].toIntList();
    const double scale = context->saved_data["scale"].toDouble();
    const at::Tensor grad = gradients[0].contiguous();  // [T, O]
    at::Tensor low_grad = at::empty_like(low);          // [T, K r]
    // In the order of forward()'s tensors, and nothing for rows and scale.
    variable_list result(kBefore + count + 2);
    for (size_t k = 0; k < count; ++k) {
      const at::Tensor& b = saved[kBefore + k];
      const at::Tensor own = grad.narrow(1, ranges[2 * k], ranges[2 * k + 1]);
      at::Tensor own_low = part(low_grad, k, b);
      own_low.copy_(product(own, b).mul_(scale));
      result[kBefore + k] = product(own.t(), part(low, k, b)).mul_(scale);
    }
    result[4] = product(low_grad.t(), kept);
    if (!context->needs_input_grad(0)) return result;
    at::Tensor x_grad = product(grad, weight);
    if (factors.defined()) {
      x_grad.addcmul_(product(low_grad, a), factors);
    } else {
      add_product(x_grad, low_grad, a);
    }
    result[0] = std::move(x_grad);
    return result;
  }
};

}  // namespace

at::Tensor lora_dropout_factors(const LoraDropout& dropout, int64_t width,
                                const at::TensorOptions& options) {
  const int64_t rows = dropout.seeds.size(0);
  at::Tensor factors = at::empty({rows, width}, at::TensorOptions().dtype(at::kFloat));
  const auto* seeds = dropout.seeds.const_data_ptr<int64_t>();
  auto* out = factors.mutable_data_ptr<float>();
  const auto keep = static_cast<float>(1.0 / (1.0 - dropout.rate));
  constexpr int64_t kDraws = 4;  // of 16 bits, from one hash
  const auto bound = static_cast<uint64_t>(std::llround(dropout.rate * 65536.0));
  at::parallel_for(0, rows, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const uint64_t seed = mixed(static_cast<uint64_t>(seeds[row]) ^ mixed(dropout.key));
      for (int64_t i = 0; i < width; ++i) {
        const uint64_t draws = mixed(seed ^ static_cast<uint64_t>(i / kDraws));
        const uint64_t draw = (draws >> (16 * (i % kDraws))) & 0xffffU;
        out[row * width + i] = draw < bound ? 0.0F : keep;
      }
    }
  });
  return factors.to(options);
}

at::Tensor lora_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const LoraWeights& lora) {
  const LoraDropout& dropout = lora.dropout;
  std::optional<at::Tensor> factors;
  if (dropout.rate > 0.0 && dropout.seeds.defined())
    factors = lora_dropout_factors(dropout, x.size(1), x.options().requires_grad(false));
  const std::optional<at::Tensor> given = bias.defined() ? std::make_optional(bias) : std::nullopt;
  return LoraLinear::apply(x, weight, given, factors, lora.a, at::TensorList(lora.b), lora.rows,
                           lora.scale);
}

at::Tensor lora_merged(const at::Tensor& weight, const LoraWeights& lora) {
  const c10::AutoGradMode without_graph(false);
  at::Tensor merged = weight.to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
  const at::Tensor a = lora.a.to(at::kFloat);
  for (size_t k = 0; k < lora.b.size(); ++k) {
    const at::Tensor b = lora.b[k].to(at::kFloat);
    const int64_t r = b.size(1);
    merged.narrow(0, lora.rows[k].begin, lora.rows[k].count)
        .addmm_(b, a.narrow(0, static_cast<int64_t>(k) * r, r), /*beta=*/1, /*alpha=*/lora.scale);
  }
  return merged;
}

}  // namespace xkde
