#include "core/editing/weight_overlay.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/error.h"

namespace xkde {

namespace {

/// "down_proj" of "model.layers.5.mlp.down_proj.weight"; empty for what is no matrix.
std::string module_of(const UnitTensor& tensor) {
  constexpr std::string_view kEnd = ".weight";
  const std::string& name = tensor.name;
  if (tensor.shape.size() != 2 || !name.ends_with(kEnd)) return {};
  const std::string stem = name.substr(0, name.size() - kEnd.size());
  return stem.substr(stem.rfind('.') + 1);
}

}  // namespace

MatrixPlace matrix_named(const Decoder& decoder, const std::string& name) {
  for (int64_t layer = 0; layer < decoder.num_blocks(); ++layer) {
    for (const UnitTensor& tensor : decoder.units()[static_cast<size_t>(layer) + 1].tensors) {
      if (tensor.name == name) return find_matrix(decoder, layer, module_of(tensor), name);
    }
  }
  throw CheckpointError(concat("edited weights: expected a matrix of the model, found ", name));
}

MatrixPlace find_matrix(const Decoder& decoder, int64_t layer, const std::string& module,
                        const std::string& place) {
  XKDE_CHECK(layer >= 0 && layer < decoder.num_blocks(), ConfigError, place,
             ": expected a layer below ", decoder.num_blocks(), ", the model's number, found ",
             layer);
  const auto unit = static_cast<size_t>(layer) + 1;
  std::vector<std::string> modules;
  MatrixPlace found{
      .name = {}, .unit = unit, .parameter = 0, .first_row = 0, .rows = 0, .role = {}};
  const std::vector<UnitTensor>& tensors = decoder.units()[unit].tensors;
  for (size_t i = 0; i < tensors.size(); ++i) {
    // Neighbours of one role are rows of one parameter.
    if (i > 0 && tensors[i].role != tensors[i - 1].role) {
      ++found.parameter;
      found.first_row = 0;
    }
    const std::string name = module_of(tensors[i]);
    if (!name.empty()) modules.push_back(name);
    if (name == module) {
      found.name = tensors[i].name;
      found.rows = tensors[i].shape.front();
      found.role = tensors[i].role;
      return found;
    }
    found.first_row += tensors[i].shape.front();
  }
  throw ConfigError(fmt::format("{}: expected a module of the model ({}), found {}", place,
                                fmt::join(modules, ", "), module));
}

at::Tensor WeightOverlay::view(const MatrixPlace& matrix) const {
  return model_.weights(matrix.unit)[matrix.parameter].narrow(0, matrix.first_row, matrix.rows);
}

at::Tensor WeightOverlay::value(const MatrixPlace& matrix) const {
  const auto found = changed_.find(matrix);
  return found != changed_.end()
             ? found->second.value
             : view(matrix).to(at::kFloat, /*non_blocking=*/false, /*copy=*/true);
}

void WeightOverlay::add(const MatrixPlace& matrix, const at::Tensor& delta) {
  set(matrix, value(matrix).to(delta.scalar_type()).add(delta).to(at::kFloat));
}

void WeightOverlay::set(const MatrixPlace& matrix, const at::Tensor& value) {
  XKDE_CHECK(value.isfinite().all().item<bool>(), NumericError, matrix.name,
             ": expected finite weights after an edit, found NaN or infinity");
  const at::Tensor place = view(matrix);
  const auto found = changed_.find(matrix);
  if (found == changed_.end()) {
    changed_.emplace(matrix, Changed{place.clone(), value});
  } else {
    found->second.value = value;
  }
  place.copy_(value);
}

void WeightOverlay::revert() {
  for (const auto& [matrix, change] : changed_) view(matrix).copy_(change.before);
  changed_.clear();
}

std::map<MatrixPlace, at::Tensor> WeightOverlay::changed() const {
  std::map<MatrixPlace, at::Tensor> values;
  for (const auto& [matrix, change] : changed_) values.emplace(matrix, change.value);
  return values;
}

}  // namespace xkde
