#include "distributed/sharding/run_model.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/loss/token_loss.h"

namespace xkde::dist {

at::Tensor RunModel::predict(const PackedBatch& batch) {
  const c10::AutoGradMode without_graph(false);
  const auto weights = [this](size_t unit) { return resident_parameters(unit); };
  const BlockContext context = asked_.context(batch, dtype_);
  const at::Tensor x = asked_.forward(batch.input_ids, context, {.weights = weights});  // [T, D]
  const at::Tensor norm = weights(asked_.head_unit()).front();
  const at::Tensor hidden = asked_.final_norm(x.index_select(0, batch.label_rows), norm);
  return linear_argmax(hidden, weights(asked_.output_unit()).back());
}

}  // namespace xkde::dist
