#ifndef XKDE_TESTS_SUPPORT_TINY_MODEL_H_
#define XKDE_TESTS_SUPPORT_TINY_MODEL_H_

#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "core/io/safetensors.h"
#include "core/model/decoder.h"
#include "tests/support/golden_models.h"

namespace xkde {

/// A tiny model of tests/golden, ready to compute.
struct TinyModel {
  Decoder decoder;
  std::vector<std::vector<at::Tensor>> weights;

  explicit TinyModel(const std::string& name, at::ScalarType dtype = at::kFloat)
      : decoder(golden_config(name)) {
    const SafetensorsFile file = SafetensorsFile::open(golden_folder(name) / "model.safetensors");
    std::map<std::string, at::Tensor> tensors;
    for (const SafetensorsFile::Tensor& entry : file.tensors()) {
      at::Tensor tensor = at::empty(entry.shape, at::kFloat);
      file.read_f32(entry, {tensor.mutable_data_ptr<float>(), static_cast<size_t>(tensor.numel())});
      tensors[entry.name] = tensor.reshape({-1}).to(dtype);
    }
    for (size_t unit = 0; unit < decoder.units().size(); ++unit) {
      std::vector<at::Tensor> parts;
      for (const UnitTensor& tensor : decoder.units()[unit].tensors) {
        parts.push_back(tensors.at(tensor.name));
      }
      weights.push_back(decoder.parameters(unit, at::cat(parts)));
    }
  }
  UnitWeights give() const {
    return [this](size_t unit) { return weights[unit]; };
  }
};

}  // namespace xkde

#endif  // XKDE_TESTS_SUPPORT_TINY_MODEL_H_
