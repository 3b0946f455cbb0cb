#ifndef XKDE_CORE_EDITING_ROW_PASS_H_
#define XKDE_CORE_EDITING_ROW_PASS_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"
#include "core/model/block_products.h"
#include "core/model/token_tree.h"

namespace xkde {

/// Looks at what goes into down_proj and what comes out of it.
class DownTap final : public BlockProducts {
 public:
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override;
  const at::Tensor& keys() const noexcept { return keys_; }        ///< [T, F]
  const at::Tensor& outputs() const noexcept { return outputs_; }  ///< [T, D]

 private:
  mutable at::Tensor keys_, outputs_;
};

/// Rows of packed sequences on their way through the blocks, without a graph. What stands below an
/// edited block never changes: its rows are computed once and kept here.
class RowPass {
 public:
  /// `model` outlives it.
  RowPass(const EditableModel& model, PackedBatch batch);

  const PackedBatch& batch() const noexcept { return batch_; }
  const BlockContext& context() const noexcept { return context_; }
  /// The block whose input rows() are.
  int64_t layer() const noexcept { return layer_; }
  const at::Tensor& rows() const noexcept { return rows_; }  ///< [T, D]
  /// Goes through the blocks below `layer`, which is not below layer().
  void advance_to(int64_t layer);
  /// The sum of the block's input and its attention, [T, D], of block layer().
  at::Tensor middle() const;
  /// The input of down_proj of block layer() at the labels, [L, F].
  at::Tensor keys() const;
  /// The output of down_proj of block layer() at the labels, [L, D].
  at::Tensor mlp_outputs() const;
  /// rows() at the labels, [L, D].
  at::Tensor label_rows() const;

 private:
  std::vector<at::Tensor> weights() const;
  void tap_mlp(const BlockProducts& tap) const;

  const EditableModel& model_;
  PackedBatch batch_;
  BlockContext context_;
  int64_t layer_ = 0;
  at::Tensor rows_;
};

/// Rows [T, D] from the input of block `from` to that of block `to`, with a graph where the caller
/// has one.
at::Tensor through_blocks(const EditableModel& model, at::Tensor rows, const BlockContext& context,
                          int64_t from, int64_t to);

/// The input rows of block `to`, [T, D], which those of `from` lead to. `from` stays where it is.
at::Tensor rows_above(const EditableModel& model, const RowPass& from, int64_t to);

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_ROW_PASS_H_
