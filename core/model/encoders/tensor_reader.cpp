#include "core/model/encoders/tensor_reader.h"

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/base/shape_text.h"

namespace xkde {
at::Tensor Affine::operator()(const at::Tensor& x) const { return at::linear(x, weight, bias); }

at::Tensor LayerNorm::operator()(const at::Tensor& x) const {
  return at::layer_norm(x, {x.size(-1)}, weight, bias, eps);
}

void TensorReader::check(const std::string& name, const std::vector<int64_t>& shape) const {
  XKDE_CHECK(weights_.has(name), DataError, path_, ": expected tensor ", name, " ",
             shape_text(shape), ", found none");
  const std::vector<int64_t> found = weights_.shape(name);
  XKDE_CHECK(found == shape, DataError, path_, ": tensor ", name, ": expected shape ",
             shape_text(shape), ", found ", shape_text(found));
}

void TensorReader::read_into(at::Tensor& out, const std::string& name) const {
  read_finite_f32(weights_, path_, name, 0,
                  {out.mutable_data_ptr<float>(), static_cast<size_t>(out.numel())});
}

at::Tensor TensorReader::tensor(const std::string& name, const std::vector<int64_t>& shape) const {
  check(name, shape);
  if (!reads()) return {};
  at::Tensor out = at::empty(shape, at::kFloat);
  read_into(out, name);
  return out;
}

Affine TensorReader::affine(const std::string& prefix, int64_t out, int64_t in) const {
  return joined({prefix}, out, in);
}

Affine TensorReader::joined(const std::vector<std::string>& prefixes, int64_t out,
                            int64_t in) const {
  const auto count = static_cast<int64_t>(prefixes.size());
  for (const std::string& prefix : prefixes) {
    check(prefix + ".weight", {out, in});
    check(prefix + ".bias", {out});
  }
  if (!reads()) return {};
  const Affine all{at::empty({count * out, in}, at::kFloat), at::empty({count * out}, at::kFloat)};
  for (int64_t i = 0; i < count; ++i) {
    const std::string& prefix = prefixes[static_cast<size_t>(i)];
    at::Tensor weight = all.weight.narrow(0, i * out, out);
    at::Tensor bias = all.bias.narrow(0, i * out, out);
    read_into(weight, prefix + ".weight");
    read_into(bias, prefix + ".bias");
  }
  return all;
}

LayerNorm TensorReader::norm(const std::string& prefix, int64_t width, double eps) const {
  return {tensor(prefix + ".weight", {width}), tensor(prefix + ".bias", {width}), eps};
}

at::Tensor activate(const at::Tensor& x, EncoderActivation activation) {
  switch (activation) {
    case EncoderActivation::kRelu:
      return at::relu(x);
    case EncoderActivation::kGelu:
      return at::gelu(x);
    case EncoderActivation::kGeluTanh:
      return at::gelu(x, "tanh");
    case EncoderActivation::kSilu:
      return at::silu(x);
  }
  return x;
}

}  // namespace xkde
