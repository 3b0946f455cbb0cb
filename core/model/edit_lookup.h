#ifndef XKDE_CORE_MODEL_EDIT_LOOKUP_H_
#define XKDE_CORE_MODEL_EDIT_LOOKUP_H_

#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

#include "core/model/block_products.h"
#include "core/model/token_tree.h"

namespace xkde {

/// The S sequences of a pass: prompts, and what stands behind them. No two share rows.
struct LookupRows {
  at::Tensor owner;      ///< int64 [T]: the sequence that a row belongs to
  at::Tensor is_prompt;  ///< bool [T]: the row is one of its sequence's prompt
  at::Tensor ends;       ///< int64 [S]: the row of each prompt's last token
};

/// The rows of a batch that shares no prefixes and whose sequences all have labels. Its sequences
/// are numbered by their place there; `prompt_lengths` are those of the list that was packed.
LookupRows lookup_rows(const PackedBatch& batch, std::span<const int64_t> prompt_lengths);

/// Edits that stand beside the weights: what down_proj of one block gives depends on what a
/// question's prompt finds among them. Knows the weights' device and dtype.
class EditLookup {
 public:
  virtual ~EditLookup() = default;
  /// The block.
  virtual int64_t layer() const = 0;
  /// What down_proj gives for rows x [T, F] of whole sequences, [T, D]. `found`, int64 [S]: what
  /// each found; -1: nothing.
  virtual at::Tensor prompts(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const LookupRows& rows, at::Tensor& found) const = 0;
  /// The same for rows behind prompts, whose sequences found `found`, int64 [T].
  virtual at::Tensor answers(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             const at::Tensor& found) const = 0;
};

/// The block's products in a pass over whole sequences.
class PromptProducts final : public BlockProducts {
 public:
  /// `lookup` outlives it.
  PromptProducts(const EditLookup& lookup, LookupRows rows);
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override;
  /// What each sequence found, int64 [S]; there behind the pass.
  const at::Tensor& found() const { return found_; }

 private:
  const EditLookup& lookup_;
  LookupRows rows_;
  mutable at::Tensor found_;
};

/// The block's products in a pass over rows behind prompts.
class AnswerProducts final : public BlockProducts {
 public:
  /// `lookup` outlives it; `found` int64 [T].
  AnswerProducts(const EditLookup& lookup, at::Tensor found);
  at::Tensor product(TensorRole role, const at::Tensor& x, const at::Tensor& weight,
                     const at::Tensor& bias) const override;

 private:
  const EditLookup& lookup_;
  at::Tensor found_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_EDIT_LOOKUP_H_
