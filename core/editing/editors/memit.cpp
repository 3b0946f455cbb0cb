#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/key_system.h"
#include "core/editing/subject_keys.h"
#include "core/editing/value_vectors.h"

namespace xkde {
namespace {

/// What a layer's change is solved with.
struct LayerSystem {
  int64_t layer = 0;
  MatrixPlace matrix;
  KeySystem system;
  at::Tensor basis;  ///< of AlphaEdit, fp64 [F, r]: keys are Uᵀk; undefined: keys are k
};

/// MEMIT (arXiv:2210.07229), with the keys of earlier edits (arXiv:2605.26670), EMMET
/// (arXiv:2403.14236) and AlphaEdit (arXiv:2410.02355): they differ in the matrix that keys meet.
class Memit final : public Editor {
 public:
  Memit(EditorKind kind, const EditableModel& model, EditorParts parts)
      : kind_(kind),
        model_(model),
        parts_(std::move(parts)),
        is_normed_(norms_mlp_output(model.decoder.config())) {
    const std::string& module = parts_.settings.modules.front().module;
    for (const int64_t layer : parts_.settings.layers()) {
      MatrixPlace matrix = find_matrix(model.decoder, layer, module, "editor.layers");
      layers_.push_back(system_of(layer, module, std::move(matrix)));
    }
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    const int64_t top = layers_.back().layer;
    const ValueOptions options{
        .layer = top,
        .place = is_normed_ ? VectorPlace::kMlpOutput : VectorPlace::kBlockOutput,
        .contexts = parts_.contexts,
        .max_tokens = parts_.max_tokens};
    ValueVectors found = value_vectors(model_, requests, parts_.settings, options, team);
    const at::Tensor wanted = found.values.to(at::kDouble);  // [R, D]
    SubjectRows rows(model_, requests, parts_.contexts, parts_.max_tokens, team);
    SubjectRows bare(model_, requests, {parts_.contexts.front()}, parts_.max_tokens, team);
    const double ridge = kind_ == EditorKind::kEmmet ? parts_.settings.emmet_lambda : 1.0;
    std::vector<at::Tensor> keys;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const LayerSystem& layer = layers_[i];
      rows.advance_to(layer.layer);
      bare.advance_to(layer.layer);
      const at::Tensor there = is_normed_ ? found.before.to(at::kDouble) : bare.outputs(top);
      const at::Tensor residual =
          (wanted - there) / static_cast<double>(layers_.size() - i);  // [R, D]
      keys.push_back(projected(rows.keys().t(), layer));
      at::Tensor change = layer.system.change(keys.back(), residual.t(), ridge);
      if (layer.basis.defined()) change = change.matmul(layer.basis.t());
      overlay.add(layer.matrix, change);
    }
    if (remembers()) {
      for (size_t i = 0; i < layers_.size(); ++i) layers_[i].system.remember(keys[i]);
    }
    return {.steps = std::move(found.steps),
            .losses = std::move(found.losses),
            .step_losses = {},
            .orders = {}};
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> all;
    if (!remembers()) return all;
    for (const LayerSystem& layer : layers_) all[layer.matrix.name] = layer.system.inverse();
    return all;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    if (!remembers()) return;
    for (LayerSystem& layer : layers_) {
      const at::Tensor& inverse = state.at(layer.matrix.name);
      XKDE_CHECK(inverse.sizes() == layer.system.inverse().sizes(), DataError, layer.matrix.name,
                 ": expected the state of a layer of width ", layer.system.width(), ", found ",
                 inverse.size(0));
      layer.system = KeySystem(inverse);
    }
  }

 private:
  bool remembers() const { return entry_of(kEditors, kind_).remembers; }

  LayerSystem system_of(int64_t layer, const std::string& module, MatrixPlace matrix) const {
    const at::Tensor moments = parts_.moments(layer, module);
    const std::string place = concat("second moments of ", matrix.name);
    const EditorSettings& settings = parts_.settings;
    if (kind_ == EditorKind::kAlphaEdit) {
      at::Tensor basis = null_space(moments, settings.null_threshold, place);
      const at::Tensor start = at::eye(basis.size(1), basis.options()) * settings.l2;
      return {layer, std::move(matrix), KeySystem(start, place), std::move(basis)};
    }
    const double weight = kind_ == EditorKind::kEmmet ? 1.0 : settings.cov_weight;
    return {layer, std::move(matrix), KeySystem(moments * weight, place), {}};
  }

  static at::Tensor projected(const at::Tensor& keys, const LayerSystem& layer) {
    return layer.basis.defined() ? layer.basis.t().matmul(keys) : keys.contiguous();
  }

  EditorKind kind_;
  const EditableModel& model_;
  EditorParts parts_;
  /// A change of down_proj reaches the block's output through a norm: what is added is then the
  /// output of down_proj itself, in one layer.
  bool is_normed_;
  std::vector<LayerSystem> layers_;
};

}  // namespace

std::unique_ptr<Editor> make_memit(EditorKind kind, const EditableModel& model, EditorParts parts) {
  return std::make_unique<Memit>(kind, model, std::move(parts));
}

}  // namespace xkde
