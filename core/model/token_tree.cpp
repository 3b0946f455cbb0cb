#include "core/model/token_tree.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/base/rng.h"
#include "core/nn/device_copy.h"

namespace xkde {
namespace {

/// Fills one batch. Sequences arrive sorted, so that the longest prefix shared with any earlier one
/// of the tree is shared with the last.
class BatchBuilder {
 public:
  explicit BatchBuilder(const PackOptions& options) : options_(options) {}

  bool empty() const { return sequences_ == 0; }

  bool has_room(const TreeSequence& sequence) const {
    const auto rows = static_cast<int64_t>(ids_.size());
    const auto length = static_cast<int64_t>(sequence.ids.size());
    if (options_.max_sequences > 0 && sequences_ >= options_.max_sequences) return false;
    return rows + length - shared_tokens(sequence) <= options_.max_tokens;
  }

  void add(const TreeSequence& sequence, int64_t index) {
    const int64_t shared = shared_tokens(sequence);
    if (shared == 0) close_tree();
    path_.resize(static_cast<size_t>(shared));
    branched_ |= shared > 0 && shared < static_cast<int64_t>(last_.size());
    for (size_t i = path_.size(); i < sequence.ids.size(); ++i) {
      parents_.push_back(path_.empty() ? -1 : path_.back());
      path_.push_back(static_cast<int64_t>(ids_.size()) - tree_begin_);
      ids_.push_back(sequence.ids[i]);
      positions_.push_back(static_cast<int64_t>(i));
    }
    for (const LabelledToken& label : sequence.labels) {
      rows_.push_back(tree_begin_ + path_[static_cast<size_t>(label.position)]);
      targets_.push_back(label.target);
      weights_.push_back(static_cast<float>(label.weight));
      owners_.push_back(index);
    }
    last_ = sequence.ids;
    sequence_tokens_ += static_cast<int64_t>(sequence.ids.size());
    ++sequences_;
  }

  PackedBatch finish() {
    close_tree();
    PackedBatch batch;
    batch.input_ids = to_device(ids_, options_.device);
    batch.positions = to_device(positions_, options_.device);
    batch.segments = std::move(segments_);
    batch.label_rows = to_device(rows_, options_.device);
    batch.label_targets = to_device(targets_, options_.device);
    batch.label_weights = to_device(weights_, options_.device);
    batch.label_sequence = std::move(owners_);
    batch.sequence_tokens = sequence_tokens_;
    return batch;
  }

 private:
  /// Leading tokens that the sequence takes over from the open tree; 0 opens a new one.
  int64_t shared_tokens(const TreeSequence& sequence) const {
    if (!options_.share_prefixes || last_.empty()) return 0;
    return common_prefix(last_, sequence.ids);
  }

  void close_tree() {
    const int64_t length = static_cast<int64_t>(ids_.size()) - tree_begin_;
    if (length > 0) {
      segments_.push_back({length, branched_ ? nodes() : std::vector<TreeNode>()});
    }
    tree_begin_ = static_cast<int64_t>(ids_.size());
    parents_.clear();
    path_.clear();
    last_.clear();
    branched_ = false;
  }

  /// The open tree's rows as runs: one ends where its last row has not exactly the next as a child.
  std::vector<TreeNode> nodes() const {
    std::vector<int64_t> children(parents_.size());
    for (const int64_t parent : parents_) {
      if (parent >= 0) ++children[static_cast<size_t>(parent)];
    }
    std::vector<TreeNode> nodes;
    std::vector<int64_t> node_of_row;
    for (size_t row = 0; row < parents_.size(); ++row) {
      const int64_t parent = parents_[row];
      const bool extends = parent >= 0 && parent + 1 == static_cast<int64_t>(row) &&
                           children[static_cast<size_t>(parent)] == 1;
      if (extends) {
        ++nodes.back().length;
      } else {
        nodes.push_back({1, parent < 0 ? -1 : node_of_row[static_cast<size_t>(parent)]});
      }
      node_of_row.push_back(static_cast<int64_t>(nodes.size()) - 1);
    }
    return nodes;
  }

  PackOptions options_;
  std::vector<int64_t> ids_, positions_, rows_, targets_, owners_;
  std::vector<float> weights_;
  std::vector<AttentionSegment> segments_;
  std::vector<int64_t> parents_;  // of the open tree's rows, counted from its first
  std::vector<int64_t> path_;     // rows of the last sequence, counted from the tree's first
  std::vector<int64_t> last_;     // ids of the last sequence in the open tree
  int64_t tree_begin_ = 0;
  int64_t sequences_ = 0;
  int64_t sequence_tokens_ = 0;
  bool branched_ = false;
};

/// Of each row of a batch, its parent; -1: it has none.
std::vector<int64_t> parents_of(const std::vector<AttentionSegment>& segments) {
  std::vector<int64_t> parents;
  for (const AttentionSegment& segment : segments) {
    std::vector<int64_t> last_row;  // of each node
    const std::vector<TreeNode> plain{{segment.length, -1}};
    for (const TreeNode& node : segment.nodes.empty() ? plain : segment.nodes) {
      int64_t parent = node.parent < 0 ? -1 : last_row[static_cast<size_t>(node.parent)];
      for (int64_t i = 0; i < node.length; ++i) {
        parents.push_back(parent);
        parent = std::ssize(parents) - 1;
      }
      last_row.push_back(parent);
    }
  }
  return parents;
}

}  // namespace

void add_dropout_seeds(PackedBatch& batch, uint64_t seed, int64_t step) {
  const at::Tensor ids = batch.input_ids.cpu();
  const auto* id = ids.const_data_ptr<int64_t>();
  const uint64_t root = RandomStream(seed, "dropout", static_cast<uint64_t>(step)).next();
  const std::vector<int64_t> parents = parents_of(batch.segments);
  std::vector<int64_t> seeds;
  for (size_t row = 0; row < parents.size(); ++row) {
    const int64_t parent = parents[row];
    const uint64_t above =
        parent < 0 ? root : static_cast<uint64_t>(seeds[static_cast<size_t>(parent)]);
    const uint64_t own = RandomStream(above, "", static_cast<uint64_t>(id[row])).next();
    seeds.push_back(static_cast<int64_t>(own));
  }
  batch.dropout_seeds = at::tensor(seeds, at::TensorOptions().dtype(at::kLong));
}

std::vector<PackedBatch> pack_sequences(std::span<const TreeSequence> sequences,
                                        const PackOptions& options) {
  std::vector<int64_t> order(sequences.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return sequences[static_cast<size_t>(a)].ids < sequences[static_cast<size_t>(b)].ids;
  });

  std::vector<PackedBatch> batches;
  BatchBuilder builder(options);
  for (const int64_t index : order) {
    const TreeSequence& sequence = sequences[static_cast<size_t>(index)];
    XKDE_CHECK(!sequence.ids.empty(), InternalError, "sequence ", index, " has no tokens");
    if (!builder.empty() && !builder.has_room(sequence)) {
      batches.push_back(builder.finish());
      builder = BatchBuilder(options);
    }
    builder.add(sequence, index);
  }
  if (!builder.empty()) batches.push_back(builder.finish());
  return batches;
}

}  // namespace xkde
