#ifndef XKDE_CORE_MODEL_TOKEN_TREE_H_
#define XKDE_CORE_MODEL_TOKEN_TREE_H_

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/nn/attention.h"

namespace xkde {

/// One sequence of token ids and what is asked of it: at position `position` (its input token
/// included) the next token should be, or is compared with, `target`.
struct LabelledToken {
  int64_t position = 0;
  int64_t target = 0;
  double weight = 0.0;  ///< of its cross-entropy in the loss; unused in evaluation
};
struct TreeSequence {
  std::vector<int64_t> ids;
  std::vector<LabelledToken> labels;
};

/// Token rows of one forward pass. Sequences with a common prefix share its rows: rows form trees,
/// a row sees its ancestors and itself, and positions count from the root, so that every sequence
/// gets the logits that it would get alone.
struct PackedBatch {
  at::Tensor input_ids;  ///< int64 [T]
  at::Tensor positions;  ///< int64 [T]
  std::vector<AttentionSegment> segments;
  at::Tensor label_rows;     ///< int64 [L]: the row whose logits predict the label
  at::Tensor label_targets;  ///< int64 [L]
  at::Tensor label_weights;  ///< fp32 [L]
  /// For label i: which of the given sequences it belongs to (index into the caller's list).
  std::vector<int64_t> label_sequence;
  int64_t sequence_tokens = 0;  ///< tokens of the sequences laid out one by one
  /// For dropout, int64 [T], in host memory: of the row's tokens from the root on, whatever else
  /// the batch holds. Undefined: nothing is left out.
  at::Tensor dropout_seeds;

  int64_t num_tokens() const { return input_ids.size(0); }
};

struct PackOptions {
  bool share_prefixes = true;    ///< token trees; false: every sequence has rows of its own
  int64_t max_tokens = 1024;     ///< rows of one batch; a longer sequence gets a batch of its own
  int64_t max_sequences = 0;     ///< per batch; 0: no limit (1: no packing)
  at::Device device = at::kCPU;  ///< of the batches' tensors
};

/// Fills dropout_seeds, drawn anew for each `step`.
void add_dropout_seeds(PackedBatch& batch, uint64_t seed, int64_t step);

/// Lays the sequences out in batches, in lexicographic order of their ids, ties in the given order.
/// Deterministic. Sequences must not be empty.
std::vector<PackedBatch> pack_sequences(std::span<const TreeSequence> sequences,
                                        const PackOptions& options);

}  // namespace xkde

#endif  // XKDE_CORE_MODEL_TOKEN_TREE_H_
