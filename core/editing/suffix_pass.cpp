#include "core/editing/suffix_pass.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "core/editing/row_pass.h"
#include "core/nn/device_copy.h"
#include "core/nn/layers.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

/// Sequences packed with a label at each position from `begin` on; the rows of those labels by
/// sequence and position.
std::vector<TreeSequence> labelled(std::span<const SuffixSequence> sequences, bool before) {
  std::vector<TreeSequence> all;
  for (const SuffixSequence& sequence : sequences) {
    const int64_t length = std::ssize(sequence.ids);
    const int64_t begin = before ? 0 : sequence.first;
    const int64_t end = before ? sequence.first : length;
    TreeSequence one{{sequence.ids.begin(), sequence.ids.begin() + end}, {}};
    for (int64_t position = begin; position < end; ++position)
      one.labels.push_back({position, 0, 0.0});
    all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

SuffixPass::SuffixPass(const EditableModel& model, std::vector<SuffixSequence> sequences,
                       int64_t layer, VectorPlace place, int64_t max_tokens)
    : model_(model), sequences_(std::move(sequences)), layer_(layer), place_(place) {
  const c10::AutoGradMode without_graph(false);
  std::vector<int64_t> first_rows, vector_of, positions;
  int64_t rows = 0;
  for (const SuffixSequence& sequence : sequences_) {
    rows_of_.push_back(rows);
    first_rows.push_back(rows);
    vector_of.push_back(static_cast<int64_t>(sequence.vector));
    for (int64_t at = sequence.first; at < std::ssize(sequence.ids); ++at) positions.push_back(at);
    rows += std::ssize(sequence.ids) - sequence.first;
  }
  rows_of_.push_back(rows);
  first_rows_ = to_device(first_rows, model.device);
  vector_of_ = to_device(vector_of, model.device);
  rotations_ = model.decoder.rotations(to_device(positions, model.device), model.dtype);
  compute_suffixes(max_tokens);
  compute_past(max_tokens);
  plan_attention();
}

void SuffixPass::compute_suffixes(int64_t max_tokens) {
  const std::vector<TreeSequence> sequences = labelled(sequences_, /*before=*/false);
  const PackOptions options{.share_prefixes = true,
                            .max_tokens = max_tokens,
                            .max_sequences = 0,
                            .device = model_.device};
  const int64_t width = model_.decoder.config().hidden_size;
  base_ = at::empty({num_rows(), width}, at::TensorOptions(model_.device).dtype(model_.dtype));
  for (PackedBatch& batch : pack_sequences(sequences, options)) {
    RowPass pass(model_, std::move(batch));
    pass.advance_to(place_ == VectorPlace::kMlpOutput ? layer_ : layer_ + 1);
    const at::Tensor all = place_ == VectorPlace::kMlpOutput ? pass.middle() : pass.rows();
    std::vector<int64_t> places;
    std::map<int64_t, int64_t> next;  // of a sequence: the labels that came
    for (const int64_t sequence : pass.batch().label_sequence)
      places.push_back(rows_of_[static_cast<size_t>(sequence)] + next[sequence]++);
    base_.index_copy_(0, to_device(places, model_.device),
                      all.index_select(0, pass.batch().label_rows));
  }
  if (place_ == VectorPlace::kMlpOutput)
    down_ = model_.decoder.block_down(model_.weights(static_cast<size_t>(layer_) + 1), base_);
}

void SuffixPass::compute_past(int64_t max_tokens) {
  const AttentionShape shape = model_.decoder.attention_shape();
  const int64_t heads = shape.num_heads + 2 * shape.num_kv_heads;
  past_rows_.resize(sequences_.size());
  std::vector<TreeSequence> sequences;
  std::vector<size_t> owners;
  const std::vector<TreeSequence> all = labelled(sequences_, /*before=*/true);
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].ids.empty()) continue;
    sequences.push_back(all[i]);
    owners.push_back(i);
  }
  const int64_t blocks = model_.decoder.num_blocks();
  std::vector<std::vector<at::Tensor>> keys(static_cast<size_t>(blocks)), values(keys);
  const PackOptions options{.share_prefixes = true,
                            .max_tokens = max_tokens,
                            .max_sequences = 0,
                            .device = model_.device};
  int64_t offset = 0;
  for (PackedBatch& batch : pack_sequences(sequences, options)) {
    const at::Tensor rows = batch.label_rows.cpu();
    for (size_t i = 0; i < batch.label_sequence.size(); ++i) {
      past_rows_[owners[static_cast<size_t>(batch.label_sequence[i])]].push_back(
          offset + rows.const_data_ptr<int64_t>()[i]);
    }
    offset += batch.num_tokens();
    RowPass pass(model_, std::move(batch));
    pass.advance_to(layer_ + 1);
    for (int64_t layer = layer_ + 1; layer < blocks; ++layer) {
      const auto at = static_cast<size_t>(layer);
      const at::Tensor qkv = model_.decoder.block_qkv(model_.weights(at + 1), pass.rows())
                                 .view({-1, heads, shape.head_dim});
      keys[at].push_back(apply_rotary(qkv.narrow(1, shape.num_heads, shape.num_kv_heads),
                                      pass.context().of(layer).rotary));
      values[at].push_back(
          qkv.narrow(1, shape.num_heads + shape.num_kv_heads, shape.num_kv_heads).contiguous());
      if (layer + 1 < blocks) pass.advance_to(layer + 1);
    }
  }
  const at::Tensor none = at::zeros({0, shape.num_kv_heads, shape.head_dim}, base_.options());
  for (int64_t layer = 0; layer < blocks; ++layer) {
    const auto at = static_cast<size_t>(layer);
    past_.push_back(keys[at].empty() ? Past{none, none}
                                     : Past{at::cat(keys[at]), at::cat(values[at])});
  }
}

void SuffixPass::plan_attention() {
  const auto count = std::ssize(sequences_);
  int64_t past = 0, own = 0, past_total = 0;
  for (const SuffixSequence& sequence : sequences_) {
    past = std::max(past, sequence.first);
    own = std::max(own, std::ssize(sequence.ids) - sequence.first);
  }
  if (!past_.empty()) past_total = past_.back().keys.size(0);
  const int64_t none = past_total + num_rows();
  std::vector<int64_t> queries, keys, flat;
  for (size_t s = 0; s < sequences_.size(); ++s) {
    const SuffixSequence& sequence = sequences_[s];
    const int64_t length = std::ssize(sequence.ids) - sequence.first;
    for (int64_t i = 0; i < own; ++i) queries.push_back(i < length ? rows_of_[s] + i : num_rows());
    for (int64_t i = 0; i < past; ++i)
      keys.push_back(i < sequence.first ? past_rows_[s][static_cast<size_t>(i)] : none);
    for (int64_t i = 0; i < own; ++i)
      keys.push_back(i < length ? past_total + rows_of_[s] + i : none);
    for (int64_t i = 0; i < length; ++i) flat.push_back(static_cast<int64_t>(s) * own + i);
  }
  query_index_ = to_device(queries, model_.device).view({count, own});
  key_index_ = to_device(keys, model_.device).view({count, past + own});
  flat_index_ = to_device(flat, model_.device);
  // Positions as the mask sees them: a key that is none lies behind every query.
  const at::Tensor starts = at::empty({count}, at::TensorOptions().dtype(at::kLong));
  for (int64_t s = 0; s < count; ++s) starts[s] = sequences_[static_cast<size_t>(s)].first;
  const at::Tensor ordinal = at::arange(own, at::TensorOptions().dtype(at::kLong));
  const at::Tensor query_at = starts.unsqueeze(1) + ordinal;  // [S, A]
  const at::Tensor key_at =
      at::cat({at::arange(past, ordinal.options()).expand({count, past}), query_at}, 1);
  const at::Tensor is_none = key_index_.cpu() == none;
  std::map<int64_t, at::Tensor> masks;
  for (const int64_t window : model_.decoder.windows()) {
    at::Tensor& mask = masks[window];
    if (!mask.defined()) {
      const at::Tensor distance = query_at.unsqueeze(2) - key_at.unsqueeze(1);  // [S, A, P + A]
      mask = (distance < 0).logical_or(is_none.unsqueeze(1));
      if (window > 0) mask = mask.logical_or(distance >= window);
      // A query that is none sees itself alone: its row is never read, and may not be NaN.
      const at::Tensor itself =
          at::eye(own, mask.options()).narrow(1, 0, own).unsqueeze(0).expand({count, own, own});
      const at::Tensor padded = (query_index_.cpu() == num_rows()).unsqueeze(2);
      mask.narrow(2, past, own).logical_and_(padded.logical_and(itself).logical_not());
      mask = copy_to_device(mask.unsqueeze(1).unsqueeze(1).contiguous(), model_.device);
    }
    hidden_.push_back(mask);
  }
}

at::Tensor SuffixPass::attend(int64_t layer, const at::Tensor& qkv) const {
  const AttentionShape shape = model_.decoder.attention_shape();
  const int64_t kv = shape.num_kv_heads;
  const int64_t groups = shape.num_heads / kv;
  const int64_t size = shape.head_dim;
  const int64_t count = key_index_.size(0);
  const int64_t own = query_index_.size(1);
  const auto at = static_cast<size_t>(layer);
  const at::Tensor heads = qkv.view({-1, shape.num_heads + 2 * kv, size});
  const RotaryTable& rotary = rotations_.of(layer).rotary;
  const at::Tensor q = apply_rotary(heads.narrow(1, 0, shape.num_heads), rotary);
  const at::Tensor k = apply_rotary(heads.narrow(1, shape.num_heads, kv), rotary);
  const at::Tensor v = heads.narrow(1, shape.num_heads + kv, kv);
  const at::Tensor zero = at::zeros({1, kv, size}, qkv.options());
  const auto gathered = [&](const at::Tensor& past, const at::Tensor& rows) {  // [S, K, 1, P+A, E]
    return at::cat({past, rows, zero})
        .index_select(0, key_index_.view(-1))
        .view({count, -1, kv, size})
        .transpose(1, 2)
        .unsqueeze(2);
  };
  const at::Tensor keys = gathered(past_[at].keys, k);
  const at::Tensor values = gathered(past_[at].values, v);
  const at::Tensor queries = at::cat({q, at::zeros({1, shape.num_heads, size}, q.options())})
                                 .index_select(0, query_index_.view(-1))
                                 .view({count, own, kv, groups, size})
                                 .permute({0, 2, 3, 1, 4});  // [S, K, G, A, E]
  const double scale = 1.0 / std::sqrt(shape.score_divisor_squared());
  const at::Tensor scores = soft_capped(
      at::matmul(widened(queries), widened(keys).transpose(3, 4)).to(at::kFloat) * scale,
      shape.softcap);
  const at::Tensor weights = at::softmax(scores.masked_fill(hidden_[at], -INFINITY), -1);
  const at::Tensor out = weighted_values(weights, values);
  return out.permute({0, 3, 1, 2, 4})
      .reshape({count * own, shape.num_heads * size})
      .index_select(0, flat_index_);
}

at::Tensor SuffixPass::value(size_t sequence) const {
  const at::Tensor& place = place_ == VectorPlace::kMlpOutput ? down_ : base_;
  return place[rows_of_[sequence]].to(at::kFloat);
}

at::Tensor SuffixPass::block_with(const at::Tensor& vectors) const {
  const at::Tensor added = vectors.index_select(0, vector_of_).to(base_.scalar_type());  // [S, D]
  if (place_ == VectorPlace::kBlockOutput) return base_.index_add(0, first_rows_, added);
  return model_.decoder.block_output(model_.weights(static_cast<size_t>(layer_) + 1), base_,
                                     down_.index_add(0, first_rows_, added));
}

at::Tensor SuffixPass::forward(const at::Tensor& vectors, const at::Tensor& rows) const {
  const int64_t last = model_.decoder.num_blocks() - 1;
  at::Tensor x = block_with(vectors);
  if (layer_ == last) return x.index_select(0, rows);
  for (int64_t layer = layer_ + 1; layer <= last; ++layer) {
    const std::vector<at::Tensor> parameters = model_.weights(static_cast<size_t>(layer) + 1);
    at::Tensor attended = attend(layer, model_.decoder.block_qkv(parameters, x));
    if (layer == last) {
      x = x.index_select(0, rows);
      attended = attended.index_select(0, rows);
    }
    x = model_.decoder.block_rest(parameters, x, attended);
  }
  return x;
}

}  // namespace xkde
