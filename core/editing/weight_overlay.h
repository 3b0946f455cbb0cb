#ifndef XKDE_CORE_EDITING_WEIGHT_OVERLAY_H_
#define XKDE_CORE_EDITING_WEIGHT_OVERLAY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"

namespace xkde {

/// A matrix of a model's file within Decoder::parameters: rows [first_row, first_row + rows) of one
/// of a unit's tensors.
struct MatrixPlace {
  std::string name;  ///< Hugging Face: "model.layers.5.mlp.down_proj.weight"
  size_t unit = 0;
  size_t parameter = 0;
  int64_t first_row = 0;
  int64_t rows = 0;
  TensorRole role{};

  auto operator<=>(const MatrixPlace& other) const { return name <=> other.name; }
  bool operator==(const MatrixPlace& other) const { return name == other.name; }
};

/// The matrix that `module` ("down_proj") names in block `layer`. Throws ConfigError, which begins
/// with `place`, where the model has no such layer or module; it lists those it has.
MatrixPlace find_matrix(const Decoder& decoder, int64_t layer, const std::string& module,
                        const std::string& place);

/// The matrix of that Hugging Face name. Throws CheckpointError where the model has none.
MatrixPlace matrix_named(const Decoder& decoder, const std::string& name);

/// Changes of a model's matrices that can be taken back bit for bit. What they add up to is held in
/// fp32, whatever the compute dtype, so that a stream of small changes is not lost to rounding.
class WeightOverlay {
 public:
  /// `model` outlives it.
  explicit WeightOverlay(const EditableModel& model) : model_(model) {}

  /// The matrix as it stands in the model: a view, in the compute dtype.
  at::Tensor view(const MatrixPlace& matrix) const;
  /// What it is in fp32, which views round. A new tensor where nothing has changed it.
  at::Tensor value(const MatrixPlace& matrix) const;
  /// Adds `delta` of any dtype. Throws NumericError, and changes nothing, where a number is not
  /// finite.
  void add(const MatrixPlace& matrix, const at::Tensor& delta);
  /// Makes the matrix `value`, fp32. Throws as add().
  void set(const MatrixPlace& matrix, const at::Tensor& value);
  /// All matrices are what they were, bit for bit.
  void revert();
  /// The matrices that were changed, and what they are now.
  std::map<MatrixPlace, at::Tensor> changed() const;
  bool empty() const noexcept { return changed_.empty(); }

 private:
  struct Changed {
    at::Tensor before;  ///< in the compute dtype
    at::Tensor value;   ///< fp32
  };
  const EditableModel& model_;
  std::map<MatrixPlace, Changed> changed_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_WEIGHT_OVERLAY_H_
