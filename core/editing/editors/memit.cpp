#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/editors/value_editor.h"
#include "core/editing/key_system.h"
#include "core/editing/subject_keys.h"

namespace xkde {
namespace {

/// What a layer's change is solved with.
struct LayerSystem {
  int64_t layer = 0;
  MatrixPlace matrix;
  KeySystem system;
  at::Tensor basis;    ///< of AlphaEdit, fp64 [F, r]: keys are Uᵀk; undefined: keys are k
  at::Tensor earlier;  ///< Σ kkᵀ of earlier edits, fp64 [F, F], where the basis is found anew
};

/// Of one batch at a layer, a column for each edit.
struct LayerKeys {
  at::Tensor known;  ///< as the system takes them, fp64 [F, u] or [r, u]
  at::Tensor whole;  ///< fp64 [F, u], where the basis is found anew
};

/// NAS keeps what stood there where a value is more than so many anchors long.
constexpr double kLongest = 2.0;

/// MEMIT (arXiv:2210.07229), with the keys of earlier edits (arXiv:2605.26670), EMMET
/// (arXiv:2403.14236) and AlphaEdit (arXiv:2410.02355): they differ in the matrix that keys meet.
/// Each may have NAS's anchor norm (arXiv:2602.02543), and AlphaEdit BetaEdit's second moments and
/// refreshed null space (arXiv:2605.09285).
class Memit final : public ValueEditor {
 public:
  Memit(EditorKind kind, const EditableModel& model, EditorParts parts)
      : ValueEditor(model, std::move(parts)),
        kind_(kind),
        is_normed_(norms_mlp_output(model.decoder.config())) {
    const std::string& module = parts_.settings.modules.front().module;
    for (const int64_t layer : parts_.settings.layers()) {
      MatrixPlace matrix = find_matrix(model.decoder, layer, module, "editor.layers");
      layers_.push_back(system_of(layer, std::move(matrix)));
    }
  }

  void prepare(Team& team) override {
    find_anchor(team);
    ValueEditor::prepare(team);
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    find_anchor(team);
    if (refreshes() && since_refresh_ >= parts_.settings.refresh_every) refresh();
    ValueVectors found = values_for(requests, overlay, team);
    EditNotes notes{.steps = std::move(found.steps),
                    .losses = std::move(found.losses),
                    .step_losses = {},
                    .orders = {}};
    at::Tensor wanted = found.values.to(at::kDouble);  // [R, D]
    const at::Tensor kept = scale(wanted, requests, found, notes, team);
    const std::vector<LayerKeys> keys = solve(requests, found.before, wanted, kept, overlay, team);
    if (remembers()) {
      for (size_t i = 0; i < layers_.size(); ++i) remember(layers_[i], keys[i]);
      edits_ += std::ssize(requests);
      since_refresh_ += std::ssize(requests);
    }
    return notes;
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> all;
    const at::TensorOptions wide = at::TensorOptions().dtype(at::kDouble);
    if (anchor_) all["anchor"] = at::full({1}, *anchor_, wide);
    if (!remembers()) return all;
    for (const LayerSystem& layer : layers_) {
      all[layer.matrix.name] = layer.system.inverse();
      if (!refreshes()) continue;
      all["basis/" + layer.matrix.name] = layer.basis;
      all["earlier/" + layer.matrix.name] = layer.earlier;
    }
    if (refreshes()) all["edits"] = at::tensor({edits_, since_refresh_}).to(at::kDouble);
    return all;
  }

  void restore(const std::map<std::string, at::Tensor>& state) override {
    // The anchor is the model's and not the stream's.
    if (const auto at = state.find("anchor"); at != state.end())
      anchor_ = at->second[0].item<double>();
    if (!remembers()) return;
    for (LayerSystem& layer : layers_) {
      const std::string& name = layer.matrix.name;
      const at::Tensor& inverse = state.at(name);
      if (refreshes()) {
        check_width(state.at("earlier/" + name), layer.earlier.size(0), name);
        layer.earlier = state.at("earlier/" + name);
        layer.basis = state.at("basis/" + name);
      } else {
        check_width(inverse, layer.system.width(), name);
      }
      layer.system = KeySystem(inverse);
    }
    if (!refreshes()) return;
    edits_ = state.at("edits")[0].item<int64_t>();
    since_refresh_ = state.at("edits")[1].item<int64_t>();
  }

 private:
  bool remembers() const { return entry_of(kEditors, kind_).remembers; }
  bool refreshes() const { return parts_.settings.refresh_every > 0; }

  static void check_width(const at::Tensor& found, int64_t width, const std::string& name) {
    XKDE_CHECK(found.dim() == 2 && found.size(0) == width && found.size(1) == width, DataError,
               name, ": expected the state of a layer of width ", width, ", found ", found.size(0));
  }

  /// Of the model without edits.
  void find_anchor(Team& team) {
    if (parts_.settings.anchor_edits == 0 || anchor_ || parts_.pilots.empty()) return;
    const ValueVectors found = find_values(parts_.pilots, team);
    anchor_ = mlp_values(parts_.pilots, found, team).norm(2, 1).mean().item<double>();
  }

  ValueOptions value_options() const override {
    return {.layer = layers_.back().layer,
            .place = is_normed_ ? VectorPlace::kMlpOutput : VectorPlace::kBlockOutput,
            .contexts = parts_.contexts,
            .max_tokens = parts_.max_tokens};
  }

  /// What down_proj of the last layer should give at the subjects, fp64 [R, D].
  at::Tensor mlp_values(std::span<const EditRequest> requests, const ValueVectors& found,
                        Team& team) const {
    if (is_normed_) return found.values.to(at::kDouble);
    SubjectRows bare(model_, requests, {parts_.contexts.front()}, parts_.max_tokens, team);
    bare.advance_to(layers_.back().layer);
    return bare.mlp_outputs() + (found.values - found.before).to(at::kDouble);
  }

  /// Scales what is wanted of MLPs to the anchor, and `wanted` [R, D] by as much. Returns of which
  /// requests what stands there is kept, bool [R, 1]; undefined: none.
  at::Tensor scale(at::Tensor& wanted, std::span<const EditRequest> requests,
                   const ValueVectors& found, EditNotes& notes, Team& team) const {
    if (parts_.settings.anchor_edits == 0) return {};
    XKDE_CHECK(anchor_, DataError,
               "editor.anchor_edits: expected pilot edits that can be written, found none");
    const at::Tensor values = mlp_values(requests, found, team);
    const at::Tensor norms = values.norm(2, 1, /*keepdim=*/true);
    wanted = wanted + values * (*anchor_ / norms - 1.0);
    const at::Tensor told = norms.cpu();
    const double* first = told.const_data_ptr<double>();
    notes.value_norms.assign(first, first + told.numel());
    notes.anchor = *anchor_;
    return norms > kLongest * *anchor_;
  }

  /// Changes the layers one after another, and returns their keys.
  std::vector<LayerKeys> solve(std::span<const EditRequest> requests, const at::Tensor& before,
                               at::Tensor wanted, const at::Tensor& kept, WeightOverlay& overlay,
                               Team& team) const {
    const int64_t top = layers_.back().layer;
    SubjectRows rows(model_, requests, parts_.contexts, parts_.max_tokens, team);
    SubjectRows bare(model_, requests, {parts_.contexts.front()}, parts_.max_tokens, team);
    const double ridge = kind_ == EditorKind::kEmmet ? parts_.settings.emmet_lambda : 1.0;
    std::vector<LayerKeys> keys;
    for (size_t i = 0; i < layers_.size(); ++i) {
      const LayerSystem& layer = layers_[i];
      rows.advance_to(layer.layer);
      bare.advance_to(layer.layer);
      const at::Tensor there = is_normed_ ? before.to(at::kDouble) : bare.outputs(top);
      // As the pass just saw it, so that keeping it alone changes nothing.
      if (i == 0 && kept.defined()) wanted = at::where(kept, there, wanted);
      const at::Tensor residual =
          (wanted - there) / static_cast<double>(layers_.size() - i);  // [R, D]
      const at::Tensor whole = rows.keys(SubjectRows::Mean::kOfFirstAndOthers).t();
      keys.push_back({layer.basis.defined() ? layer.basis.t().matmul(whole) : whole.contiguous(),
                      refreshes() ? whole : at::Tensor()});
      at::Tensor change = layer.system.change(keys.back().known, residual.t(), ridge);
      if (layer.basis.defined()) change = change.matmul(layer.basis.t());
      overlay.add(layer.matrix, change);
    }
    return keys;
  }

  void remember(LayerSystem& layer, const LayerKeys& keys) const {
    layer.system.remember(keys.known);
    // A new tensor: others may hold the sum as it was, to go back to it.
    if (refreshes()) layer.earlier = at::addmm(layer.earlier, keys.whole, keys.whole.t());
  }

  at::Tensor moments_of(int64_t layer) const {
    return parts_.moments(layer, parts_.settings.modules.front().module);
  }

  LayerSystem system_of(int64_t layer, MatrixPlace matrix) const {
    const at::Tensor moments = moments_of(layer);
    const std::string place = concat("second moments of ", matrix.name);
    const EditorSettings& settings = parts_.settings;
    if (kind_ == EditorKind::kAlphaEdit) {
      at::Tensor basis = null_space(moments, settings.null_threshold, place);
      const bool weighs = settings.cov_weight > 0.0;
      KeySystem system =
          reduced(weighs ? moments * settings.cov_weight : at::Tensor(), basis, place);
      const at::Tensor earlier = refreshes() ? at::zeros_like(moments) : at::Tensor();
      return {layer, std::move(matrix), std::move(system), std::move(basis), earlier};
    }
    const double weight = kind_ == EditorKind::kEmmet ? 1.0 : settings.cov_weight;
    return {layer, std::move(matrix), KeySystem(moments * weight, place), {}, {}};
  }

  /// l2 · I + Uᵀ `whole` U; undefined: zero.
  KeySystem reduced(const at::Tensor& whole, const at::Tensor& basis,
                    const std::string& place) const {
    at::Tensor start = at::eye(basis.size(1), basis.options()) * parts_.settings.l2;
    if (whole.defined()) start = start + basis.t().matmul(whole.matmul(basis));
    return KeySystem(start, place);
  }

  /// Finds anew what may change, of texts and of all edits so far.
  void refresh() {
    const double weight = parts_.settings.cov_weight;
    for (LayerSystem& layer : layers_) {
      const at::Tensor moments = moments_of(layer.layer) * weight;
      const std::string place =
          concat("second moments of ", layer.matrix.name, " with the keys of ", edits_, " edits");
      const at::Tensor mixed =
          (layer.earlier / static_cast<double>(edits_) + moments) / (weight + 1.0);
      layer.basis = null_space(mixed, parts_.settings.null_threshold, place);
      layer.system = reduced(layer.earlier + moments, layer.basis, place);
    }
    since_refresh_ = 0;
  }

  EditorKind kind_;
  /// A change of down_proj reaches the block's output through a norm: what is added is then the
  /// output of down_proj itself, in one layer.
  bool is_normed_;
  std::vector<LayerSystem> layers_;
  std::optional<double> anchor_;  ///< mean norm of the pilots' values
  int64_t edits_ = 0;             ///< that are remembered
  int64_t since_refresh_ = 0;
};

}  // namespace

std::unique_ptr<Editor> make_memit(EditorKind kind, const EditableModel& model, EditorParts parts) {
  return std::make_unique<Memit>(kind, model, std::move(parts));
}

}  // namespace xkde
