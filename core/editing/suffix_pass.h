#ifndef XKDE_CORE_EDITING_SUFFIX_PASS_H_
#define XKDE_CORE_EDITING_SUFFIX_PASS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/editing/editable_model.h"

namespace xkde {

/// A sequence in which a vector is added at one position.
struct SuffixSequence {
  std::vector<int64_t> ids;
  int64_t first = 0;  ///< the position
  size_t vector = 0;  ///< which vector
};

/// Where in a block the vectors are added.
enum class VectorPlace { kMlpOutput, kBlockOutput };

/// Forward passes of sequences that differ in what is added at one position of each. Rows before
/// that position, and what is below the place, never change: keys and values of those rows and the
/// rows at the place are computed once. A pass computes the rows from the position on, from the
/// place up, with a graph that leads to the vectors.
class SuffixPass {
 public:
  /// `model` outlives it. `max_tokens`: rows of one pass of those that never change.
  SuffixPass(const EditableModel& model, std::vector<SuffixSequence> sequences, int64_t layer,
             VectorPlace place, int64_t max_tokens);

  int64_t num_rows() const { return rows_of_.back(); }
  /// The row of a position of a sequence, which is not before its `first`.
  int64_t row(size_t sequence, int64_t position) const {
    return rows_of_[sequence] + position - sequences_[sequence].first;
  }
  /// What stands at the position of a sequence at the place of the vectors, fp32 [D].
  at::Tensor value(size_t sequence) const;
  /// The rows int64 [L] of those behind the last block, [L, D]; `vectors` fp32 [n, D].
  at::Tensor forward(const at::Tensor& vectors, const at::Tensor& rows) const;

 private:
  /// Of the rows before the position: rotated keys, and values.
  struct Past {
    at::Tensor keys, values;  ///< [M, K, E]
  };
  void compute_suffixes(int64_t max_tokens);
  void compute_past(int64_t max_tokens);
  void plan_attention();
  at::Tensor attend(int64_t layer, const at::Tensor& qkv) const;
  at::Tensor block_with(const at::Tensor& vectors) const;

  const EditableModel& model_;
  std::vector<SuffixSequence> sequences_;
  int64_t layer_;
  VectorPlace place_;
  std::vector<int64_t> rows_of_;       ///< first row of each sequence, then their number
  at::Tensor base_;                    ///< [N, D]: the block's middle or its output
  at::Tensor down_;                    ///< [N, D]: the MLP's output where vectors are added to it
  at::Tensor first_rows_, vector_of_;  ///< int64 [S]
  BlockContext rotations_;
  std::vector<Past> past_;                       ///< of the blocks above `layer_`
  std::vector<std::vector<int64_t>> past_rows_;  ///< of each sequence, by position
  at::Tensor query_index_;                       ///< int64 [S, A]; num_rows(): none
  at::Tensor key_index_;            ///< int64 [S, P + A] into past rows, then rows, then a row of 0
  at::Tensor flat_index_;           ///< int64 [N]: where a row stands in [S, A]
  std::vector<at::Tensor> hidden_;  ///< bool [S, 1, 1, A, P + A] of each layer: not to be seen
};

}  // namespace xkde

#endif  // XKDE_CORE_EDITING_SUFFIX_PASS_H_
