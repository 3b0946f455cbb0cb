#include "core/editing/row_pass.h"

#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/base/error.h"
#include "core/nn/products.h"

namespace xkde {

at::Tensor DownTap::product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias) const {
  at::Tensor out = plain_product(x, weight, bias);
  if (role == TensorRole::kDown) {
    keys_ = x;
    outputs_ = out;
  }
  return out;
}

RowPass::RowPass(const EditableModel& model, PackedBatch batch)
    : model_(model),
      batch_(std::move(batch)),
      context_(model.decoder.context(batch_, model.dtype)) {
  const c10::AutoGradMode without_graph(false);
  rows_ = model.decoder.embed(batch_.input_ids, model.weights(0));
}

std::vector<at::Tensor> RowPass::weights() const {
  return model_.weights(static_cast<size_t>(layer_) + 1);
}

void RowPass::advance_to(int64_t layer) {
  const c10::AutoGradMode without_graph(false);
  XKDE_CHECK(layer >= layer_, InternalError, "rows: expected a layer from ", layer_, " on, found ",
             layer);
  rows_ = through_blocks(model_, std::move(rows_), context_, layer_, layer);
  layer_ = layer;
}

at::Tensor RowPass::middle() const {
  const c10::AutoGradMode without_graph(false);
  const std::vector<at::Tensor> parameters = weights();
  const LayerContext& kind = context_.of(layer_);
  const at::Tensor attended =
      packed_attention(model_.decoder.block_qkv(parameters, rows_),
                       model_.decoder.attention_shape(), kind.rotary, kind.attention);
  return model_.decoder.block_middle(parameters, rows_, attended);
}

void RowPass::tap_mlp(const BlockProducts& tap) const {
  const c10::AutoGradMode without_graph(false);
  // The MLP looks at each row by itself.
  model_.decoder.block_mlp(weights(), middle().index_select(0, batch_.label_rows), &tap);
}

at::Tensor RowPass::keys() const {
  const DownTap tap;
  tap_mlp(tap);
  return tap.keys();
}

at::Tensor RowPass::mlp_outputs() const {
  const DownTap tap;
  tap_mlp(tap);
  return tap.outputs();
}

at::Tensor RowPass::label_rows() const { return rows_.index_select(0, batch_.label_rows); }

at::Tensor through_blocks(const EditableModel& model, at::Tensor rows, const BlockContext& context,
                          int64_t from, int64_t to) {
  for (int64_t layer = from; layer < to; ++layer) {
    const std::vector<at::Tensor> parameters = model.weights(static_cast<size_t>(layer) + 1);
    rows = model.decoder.block(parameters, rows, context.of(layer));
  }
  return rows;
}

at::Tensor rows_above(const EditableModel& model, const RowPass& from, int64_t to) {
  const c10::AutoGradMode without_graph(false);
  return through_blocks(model, from.rows(), from.context(), from.layer(), to);
}

}  // namespace xkde
