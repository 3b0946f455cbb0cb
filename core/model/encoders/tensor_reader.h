#ifndef XKDE_CORE_MODEL_ENCODERS_TENSOR_READER_H_
#define XKDE_CORE_MODEL_ENCODERS_TENSOR_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/model/encoders/activation.h"
#include "core/model/pretrained/pretrained.h"

namespace xkde {

/// x W^T + b: weight [out, in], bias [out].
struct Affine {
  at::Tensor weight, bias;
  at::Tensor operator()(const at::Tensor& x) const;
};

/// Layer norm over the last dimension: weight and bias [D].
struct LayerNorm {
  at::Tensor weight, bias;
  double eps = 1e-5;
  at::Tensor operator()(const at::Tensor& x) const;
};

/// Tensors of a weight file as fp32 on the CPU. A tensor that is missing, has another shape or a
/// value that is not finite is a DataError naming `path`, the tensor, what was expected and what
/// was found. Shapes are compared before memory is asked for: a config may promise any.
class TensorReader {
 public:
  /// kCheck: tensors are compared only; what is returned is undefined.
  enum class Use { kRead, kCheck };
  TensorReader(const WeightFile& weights, std::string path, Use use = Use::kRead)
      : weights_(weights), path_(std::move(path)), use_(use) {}
  bool reads() const noexcept { return use_ == Use::kRead; }

  at::Tensor tensor(const std::string& name, const std::vector<int64_t>& shape) const;
  /// <prefix>.weight and <prefix>.bias.
  Affine affine(const std::string& prefix, int64_t out, int64_t in) const;
  /// Several of one input below each other, so that one product computes all.
  Affine joined(const std::vector<std::string>& prefixes, int64_t out, int64_t in) const;
  LayerNorm norm(const std::string& prefix, int64_t width, double eps) const;

 private:
  void check(const std::string& name, const std::vector<int64_t>& shape) const;
  void read_into(at::Tensor& out, const std::string& name) const;

  const WeightFile& weights_;
  std::string path_;
  Use use_;
};

at::Tensor activate(const at::Tensor& x, EncoderActivation activation);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_ENCODERS_TENSOR_READER_H_
