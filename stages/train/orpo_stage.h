#ifndef XKDE_STAGES_TRAIN_ORPO_STAGE_H_
#define XKDE_STAGES_TRAIN_ORPO_STAGE_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/data/orpo_pair.h"
#include "core/data/preference_rows.h"
#include "stages/run/run_context.h"
#include "stages/train/orpo_keys.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Preference tuning of the context's model on the pairs of a rank stage or a file (TL-PO). Writes
/// metrics.jsonl, checkpoints/ and statistics.json into `folder`. Throws DataError where no pair is
/// left to train on. Collective.
void run_orpo(const OrpoStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Makes the stage's pairs, where a file has them. Throws as the stage would before its first step.
void check_orpo(const OrpoStage& stage, const SurveyInputs& inputs);

/// A pair and what it was made of.
struct EncodedRow {
  PairRow row;  ///< as texts
  OrpoPair pair;
};
/// The first `count` pairs of the stage's file that it trains on, as it does.
std::vector<EncodedRow> first_pairs(const OrpoStage& stage, const SurveyInputs& inputs,
                                    int64_t count);

/// Gives the context the weights that a finished stage left (restore_training). Collective.
void restore_orpo(const OrpoStage& stage, const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_ORPO_STAGE_H_
