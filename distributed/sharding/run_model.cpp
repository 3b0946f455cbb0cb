#include "distributed/sharding/run_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/loss/token_loss.h"

namespace xkde::dist {

at::Tensor RunModel::label_rows(const PackedBatch& batch, const LayerProducts& changed) {
  const auto weights = [this](size_t unit) { return resident_parameters(unit); };
  const BlockContext context = asked_.context(batch, dtype_);
  const int64_t last = asked_.num_blocks() - 1;
  // Products of its own may know the rows by their places in the batch.
  const bool picks_rows = changed.of(last) == nullptr;
  const auto block = [&](size_t unit, const std::vector<at::Tensor>& parameters,
                         const at::Tensor& x) {
    const int64_t layer = static_cast<int64_t>(unit) - 1;
    return layer == last && picks_rows
               ? asked_.block_of_rows(parameters, x, batch.label_rows, context.of(layer))
               : asked_.block(parameters, x, context.of(layer), changed.of(layer));
  };
  const UnitPass pass{.weights = weights, .block = block};
  const at::Tensor x = asked_.forward(batch.input_ids, context, pass);  // [L, D] or [T, D]
  return asked_.final_norm(picks_rows ? x : x.index_select(0, batch.label_rows),
                           weights(asked_.head_unit()).front());
}

at::Tensor RunModel::predict(const PackedBatch& batch, const LayerProducts& changed) {
  const c10::AutoGradMode without_graph(false);
  return linear_argmax(label_rows(batch, changed),
                       resident_parameters(asked_.output_unit()).back());
}

at::Tensor RunModel::label_log_probs(const PackedBatch& batch) {
  const c10::AutoGradMode without_graph(false);
  const OutputLayer output(resident_parameters(asked_.output_unit()).back(), asked_.logit_cap());
  return linear_log_probs(label_rows(batch), output, batch.label_targets);
}

at::Tensor RunModel::label_log_probs(const PackedBatch& batch, const at::Tensor& words) {
  // Rows are few, and what their logits take would be most of what such a batch takes.
  constexpr int64_t kRows = 64;
  const c10::AutoGradMode without_graph(false);
  const OutputLayer output(resident_parameters(asked_.output_unit()).back(), asked_.logit_cap());
  const at::Tensor rows = label_rows(batch);
  return linear_log_probs(rows, output, words.expand({rows.size(0), words.size(0)}), kRows);
}

}  // namespace xkde::dist
