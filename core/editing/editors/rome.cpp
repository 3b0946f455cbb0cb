#include <optional>
#include <utility>

#include <ATen/ATen.h>

#include "core/editing/editors/editors.h"
#include "core/editing/kept_values.h"
#include "core/editing/subject_keys.h"
#include "core/editing/value_vectors.h"

namespace xkde {
namespace {

/// arXiv:2202.05262. Requests are written one after another.
class Rome final : public Editor {
 public:
  Rome(const EditableModel& model, EditorParts parts)
      : model_(model),
        parts_(std::move(parts)),
        kept_(parts_.fresh),
        layer_(parts_.settings.layers().front()),
        matrix_(find_matrix(model.decoder, layer_, parts_.settings.modules.front().module,
                            "editor.layers")) {}

  void prepare(Team& team) override {
    kept_.find_next(model_, parts_.settings, value_options(), team);
  }
  Preparation preparation() const override { return {kept_.found(), kept_.size()}; }
  std::map<std::string, at::Tensor> prepared() const override { return kept_.tensors(); }
  void restore_prepared(const std::map<std::string, at::Tensor>& tensors) override {
    kept_.restore(tensors, model_.device);
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    EditNotes notes;
    for (size_t i = 0; i < requests.size(); ++i) {
      const ValueVectors found = write_one(requests.subspan(i, 1), overlay, team);
      notes.steps.push_back(found.steps.front());
      notes.losses.push_back(found.losses.front());
    }
    return notes;
  }

 private:
  ValueOptions value_options() const {
    return {.layer = layer_,
            .place = VectorPlace::kMlpOutput,
            .contexts = parts_.contexts,
            .max_tokens = parts_.max_tokens};
  }

  ValueVectors write_one(std::span<const EditRequest> request, WeightOverlay& overlay, Team& team) {
    std::optional<ValueVectors> known;
    if (overlay.empty()) known = kept_.of(request);
    const ValueVectors found =
        known ? *known : value_vectors(model_, request, parts_.settings, value_options(), team);
    const at::Tensor mean = key(request, parts_.contexts, team);
    const at::Tensor bare = key(request, {parts_.contexts.front()}, team);
    const at::Tensor direction = mean / mean.norm();
    // What stands at the subject without edits is Wk and a bias, where there is one.
    const at::Tensor residual = (found.values[0] - found.before[0]).to(at::kDouble);
    const at::Tensor left = residual / bare.dot(direction);
    overlay.add(matrix_, at::outer(left, direction));
    return found;
  }

  at::Tensor key(std::span<const EditRequest> request, const std::vector<std::string>& contexts,
                 Team& team) const {
    SubjectRows rows(model_, request, contexts, parts_.max_tokens, team);
    rows.advance_to(layer_);
    return rows.keys()[0];
  }

  const EditableModel& model_;
  EditorParts parts_;
  KeptValues kept_;  ///< of the model without edits
  int64_t layer_;
  MatrixPlace matrix_;
};

}  // namespace

std::unique_ptr<Editor> make_rome(const EditableModel& model, EditorParts parts) {
  return std::make_unique<Rome>(model, std::move(parts));
}

}  // namespace xkde
