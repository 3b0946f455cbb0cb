#ifndef XKDE_STAGES_TRAIN_SFT_BATCH_H_
#define XKDE_STAGES_TRAIN_SFT_BATCH_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/data/sft_sample.h"
#include "core/model/token_tree.h"
#include "stages/train/sft_keys.h"

namespace xkde::recipe {

/// The samples of one global batch as sequences whose label weights add up to 1: how they are
/// packed, and on how many ranks, doesn't change the loss.
std::vector<TreeSequence> weighted_sequences(std::span<const SftSample> samples,
                                             std::span<const int64_t> batch,
                                             LossReduction reduction, int64_t micro_batch);

/// Gives every token but the last a label, of weight 0 where it had none: what a program computes
/// that knows no labelled rows. Losses stay the same.
void label_all_tokens(std::vector<TreeSequence>& sequences);

/// The part of rank `rank` of `size`: neighbours in lexicographic order, so that common prefixes
/// meet, in runs of about equal cost. `share_prefixes` as in PackOptions.
std::vector<TreeSequence> part_of_rank(std::vector<TreeSequence> sequences, int rank, int size,
                                       bool share_prefixes);

/// What `rank` of `ranks` computes in the step whose samples are `batch`; `device` is that of the
/// packs' tensors.
std::vector<PackedBatch> packs_of_step(const SftStage& stage, std::span<const SftSample> samples,
                                       std::span<const int64_t> batch, int rank, int ranks,
                                       at::Device device);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_SFT_BATCH_H_
