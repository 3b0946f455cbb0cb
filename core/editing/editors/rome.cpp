#include <utility>

#include <ATen/ATen.h>

#include "core/editing/editors/editors.h"
#include "core/editing/editors/value_editor.h"
#include "core/editing/subject_keys.h"

namespace xkde {
namespace {

/// arXiv:2202.05262. Requests are written one after another: all but the first of a batch meet
/// weights that no other batch has.
class Rome final : public ValueEditor {
 public:
  Rome(const EditableModel& model, EditorParts parts)
      : ValueEditor(model, std::move(parts)),
        layer_(parts_.settings.layers().front()),
        matrix_(find_matrix(model.decoder, layer_, parts_.settings.modules.front().module,
                            "editor.layers")) {}

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
  ValueOptions value_options() const override {
    return {.layer = layer_,
            .place = VectorPlace::kMlpOutput,
            .contexts = parts_.contexts,
            .max_tokens = parts_.max_tokens,
            .one_by_one = entry_of(kEditors, EditorKind::kRome).one_by_one};
  }

  ValueVectors write_one(std::span<const EditRequest> request, WeightOverlay& overlay, Team& team) {
    ValueVectors found = values_for(request, overlay, team);
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

  int64_t layer_;
  MatrixPlace matrix_;
};

}  // namespace

std::unique_ptr<Editor> make_rome(const EditableModel& model, EditorParts parts) {
  return std::make_unique<Rome>(model, std::move(parts));
}

}  // namespace xkde
