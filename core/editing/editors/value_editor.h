#ifndef XKDE_CORE_EDITING_EDITORS_VALUE_EDITOR_H_
#define XKDE_CORE_EDITING_EDITORS_VALUE_EDITOR_H_

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include <ATen/core/Tensor.h>

#include "core/editing/editors/editor.h"
#include "core/editing/kept_values.h"
#include "core/editing/value_vectors.h"

namespace xkde {

/// An editor that first finds what should stand at each subject and then the weights that put it
/// there. What it finds of the model without edits serves every batch that begins from that model.
class ValueEditor : public Editor {
 public:
  void prepare(Team& team) override {
    kept_.find_next(model_, parts_.settings, value_options(), team);
  }
  Preparation preparation() const override { return {kept_.found(), kept_.size()}; }
  std::map<std::string, at::Tensor> prepared() const override { return kept_.tensors(); }
  void restore_prepared(const std::map<std::string, at::Tensor>& tensors) override {
    kept_.restore(tensors, model_.device);
  }

 protected:
  ValueEditor(const EditableModel& model, EditorParts parts)
      : model_(model), parts_(std::move(parts)), kept_(parts_.fresh) {}

  virtual ValueOptions value_options() const = 0;

  /// Of the model as it is. Collective within the team.
  ValueVectors find_values(std::span<const EditRequest> requests, Team& team) const {
    return value_vectors(model_, requests, parts_.settings, value_options(), team);
  }

  /// Those that were kept where the model is without edits, else as find_values().
  ValueVectors values_for(std::span<const EditRequest> requests, const WeightOverlay& overlay,
                          Team& team) const {
    if (overlay.empty()) {
      if (std::optional<ValueVectors> known = kept_.of(requests)) return std::move(*known);
    }
    return find_values(requests, team);
  }

  const EditableModel& model_;
  EditorParts parts_;

 private:
  KeptValues kept_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_EDITORS_VALUE_EDITOR_H_
