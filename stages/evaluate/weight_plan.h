#ifndef XKDE_STAGES_EVALUATE_WEIGHT_PLAN_H_
#define XKDE_STAGES_EVALUATE_WEIGHT_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/evaluate/eval_chunks.h"
#include "core/evaluate/eval_questionnaire.h"

namespace xkde::recipe {

/// Weights that edits make, and the chunks that they answer.
struct WeightGroup {
  size_t weights = 0;  ///< EvalQuestionnaire::edited[weights - 1]; 0: as trained
  std::vector<int64_t> chunks;
};

/// The groups of the chunks from `first` on: the weights as trained, then those of edits, so that a
/// stream's come one after another and each goes on from the one before.
std::vector<WeightGroup> weight_groups(std::span<const EvalChunk> chunks, int64_t first,
                                       const EvalQuestionnaire& asked);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_WEIGHT_PLAN_H_
