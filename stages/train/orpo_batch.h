#ifndef XKDE_STAGES_TRAIN_ORPO_BATCH_H_
#define XKDE_STAGES_TRAIN_ORPO_BATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "core/data/orpo_pair.h"
#include "core/loss/orpo_loss.h"
#include "core/model/token_tree.h"

namespace xkde::recipe {

/// A forward and backward pass over whole prompts: each prompt once, each distinct answer once,
/// and what the pairs make of them.
struct OrpoPack {
  PackedBatch batch;
  OrpoTerms terms;
};

struct OrpoBatchOptions {
  /// Pairs of a micro-batch, whose NLL is its tokens' mean; the loss is the mean over micro-batches
  /// (TRL). 0: the NLL is the mean over all tokens of the batch.
  int64_t micro_batch = 0;
  bool share_prefixes = true;  ///< token trees
  int64_t max_tokens = 1024;   ///< rows of a pack; a longer prompt with its answers gets one alone
  int64_t max_prompts = 0;     ///< in a pack; 0: no limit
  at::Device device = at::kCPU;
};

/// What rank `rank` of `size` computes of a batch of pairs, given as indices. Over all ranks the
/// loss is that of the pairs one by one. Pairs of one prompt, cut in the same way or not, stay on
/// one rank and in one pack.
std::vector<OrpoPack> orpo_packs(std::span<const OrpoPair> pairs, std::span<const int64_t> batch,
                                 const OrpoBatchOptions& options, int rank, int size);

/// Tokens of the pairs laid out one by one, as two padded rows would have them without the padding.
int64_t tokens_of(std::span<const OrpoPair> pairs, std::span<const int64_t> batch);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_ORPO_BATCH_H_
