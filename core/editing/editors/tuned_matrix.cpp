#include <utility>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "core/editing/editors/editors.h"
#include "core/editing/editors/tuning.h"
#include "core/editing/row_pass.h"
#include "core/nn/attention.h"

namespace xkde {
namespace {

/// One matrix of the model, trained.
class OneMatrix final : public Tunable {
 public:
  OneMatrix(const EditableModel& model, MatrixPlace matrix, at::Tensor value, double limit)
      : model_(model),
        matrix_(std::move(matrix)),
        value_(std::move(value)),
        before_(limit > 0.0 ? value_.clone() : at::Tensor()),
        limit_(limit) {}

  std::vector<at::Tensor> tensors() override { return {value_}; }
  int64_t layer() const override { return static_cast<int64_t>(matrix_.unit) - 1; }

  at::Tensor forward(const at::Tensor& rows, const BlockContext& context,
                     const std::vector<at::Tensor>& leaves) const override {
    std::vector<at::Tensor> parameters = model_.weights(matrix_.unit);
    parameters[matrix_.parameter] = joined(parameters[matrix_.parameter], leaves.front());
    at::Tensor x = model_.decoder.block(parameters, rows, context.of(layer()));
    return through_blocks(model_, std::move(x), context, layer() + 1, model_.decoder.num_blocks());
  }

  void limit() override {
    if (limit_ > 0.0) value_.copy_(value_.clamp(before_ - limit_, before_ + limit_));
  }

 private:
  /// The parameter with the leaf in the place of its rows.
  at::Tensor joined(const at::Tensor& whole, const at::Tensor& leaf) const {
    const at::Tensor weight = leaf.to(whole.scalar_type());
    if (matrix_.rows == whole.size(0)) return weight;
    const int64_t end = matrix_.first_row + matrix_.rows;
    return at::cat(
        {whole.narrow(0, 0, matrix_.first_row), weight, whole.narrow(0, end, whole.size(0) - end)});
  }

  const EditableModel& model_;
  MatrixPlace matrix_;
  at::Tensor value_, before_;  ///< fp32
  double limit_;
};

/// FT-L and FT-M as in EasyEdit (protocol 7.2), LocFT-BF (arXiv:2509.22072).
class TunedMatrix final : public Editor {
 public:
  TunedMatrix(EditorKind kind, const EditableModel& model, EditorParts parts)
      : kind_(kind), model_(model), parts_(std::move(parts)) {
    matrix_ = find_matrix(model.decoder, parts_.settings.layers().front(),
                          parts_.settings.modules.front().module, "editor.layers");
  }

  EditNotes write(std::span<const EditRequest> requests, WeightOverlay& overlay,
                  Team& team) override {
    const at::Tensor value = overlay.value(matrix_).clone();
    OneMatrix matrix(model_, matrix_, value, parts_.settings.norm_limit);
    const bool by_epochs = kind_ == EditorKind::kLocFtBf;
    const TuningOptions options{
        .passes = by_epochs ? parts_.settings.epochs : parts_.settings.steps,
        .shuffles = by_epochs,
        .trains_end = by_epochs,
        .at_last_prompt_token = kind_ == EditorKind::kFtL,
        .max_tokens = parts_.max_tokens,
        .seed = parts_.seed};
    EditNotes notes = tune(model_, requests, parts_.settings, options, matrix, team);
    overlay.set(matrix_, value);
    return notes;
  }

 private:
  EditorKind kind_;
  const EditableModel& model_;
  EditorParts parts_;
  MatrixPlace matrix_;
};

}  // namespace

std::unique_ptr<Editor> make_tuned_matrix(EditorKind kind, const EditableModel& model,
                                          EditorParts parts) {
  return std::make_unique<TunedMatrix>(kind, model, std::move(parts));
}

}  // namespace xkde
