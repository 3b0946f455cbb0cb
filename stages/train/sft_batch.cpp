#include "stages/train/sft_batch.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "distributed/sharding/rank_share.h"

namespace xkde::recipe {

std::vector<TreeSequence> weighted_sequences(std::span<const SftSample> samples,
                                             std::span<const int64_t> batch,
                                             LossReduction reduction, int64_t micro_batch) {
  const auto count = static_cast<int64_t>(batch.size());
  const int64_t group = reduction == LossReduction::kTokenMean ? count : micro_batch;
  const int64_t num_groups = (count + group - 1) / group;
  std::vector<TreeSequence> sequences;
  for (int64_t begin = 0; begin < count; begin += group) {
    const int64_t end = std::min(count, begin + group);
    int64_t labels = 0;
    for (int64_t i = begin; i < end; ++i) {
      labels += samples[static_cast<size_t>(batch[static_cast<size_t>(i)])].num_trained();
    }
    const double weight = 1.0 / (static_cast<double>(labels) * static_cast<double>(num_groups));
    for (int64_t i = begin; i < end; ++i) {
      const SftSample& sample = samples[static_cast<size_t>(batch[static_cast<size_t>(i)])];
      TreeSequence sequence;
      // The last token is only ever a target: nothing follows it.
      sequence.ids.assign(sample.ids.begin(), std::prev(sample.ids.end()));
      for (size_t t = 1; t < sample.ids.size(); ++t) {
        if (sample.trained[t] == 0) continue;
        sequence.labels.push_back({static_cast<int64_t>(t) - 1, sample.ids[t], weight});
      }
      sequences.push_back(std::move(sequence));
    }
  }
  return sequences;
}

void label_all_tokens(std::vector<TreeSequence>& sequences) {
  for (TreeSequence& sequence : sequences) {
    std::vector<LabelledToken> labels;
    auto next = sequence.labels.begin();
    const auto length = static_cast<int64_t>(sequence.ids.size());
    for (int64_t position = 0; position < length; ++position) {
      if (next != sequence.labels.end() && next->position == position) {
        labels.push_back(*next++);
      } else if (position + 1 < length) {
        labels.push_back({position, sequence.ids[static_cast<size_t>(position) + 1], 0.0});
      }
    }
    sequence.labels = std::move(labels);
  }
}

std::vector<TreeSequence> part_of_rank(std::vector<TreeSequence> sequences, int rank, int size,
                                       bool share_prefixes) {
  if (size == 1) return sequences;
  std::stable_sort(sequences.begin(), sequences.end(),
                   [](const TreeSequence& a, const TreeSequence& b) { return a.ids < b.ids; });
  std::vector<double> costs;
  const std::vector<int64_t>* previous = nullptr;
  for (const TreeSequence& sequence : sequences) {
    auto fresh = static_cast<double>(sequence.ids.size());
    if (share_prefixes && previous != nullptr) {
      const auto [left, right] = std::mismatch(previous->begin(), previous->end(),
                                               sequence.ids.begin(), sequence.ids.end());
      fresh -= static_cast<double>(left - previous->begin());
    }
    costs.push_back(fresh);
    previous = &sequence.ids;
  }
  return dist::share_of_rank(std::move(sequences), costs, rank, size);
}

std::vector<PackedBatch> packs_of_step(const SftStage& stage, std::span<const SftSample> samples,
                                       std::span<const int64_t> batch, int rank, int ranks,
                                       at::Device device) {
  std::vector<TreeSequence> part = part_of_rank(
      weighted_sequences(samples, batch, stage.loss_reduction, stage.per_device_train_batch_size),
      rank, ranks, stage.token_tree);
  if (!stage.labelled_head) label_all_tokens(part);
  PackOptions options;
  options.share_prefixes = stage.token_tree;
  options.max_tokens = stage.max_tokens_per_pack;
  options.max_sequences = stage.packing ? 0 : stage.per_device_train_batch_size;
  options.device = device;
  return pack_sequences(part, options);
}

}  // namespace xkde::recipe
