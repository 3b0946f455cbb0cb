#ifndef XKDE_STAGES_PREFERENCE_RANK_STAGE_H_
#define XKDE_STAGES_PREFERENCE_RANK_STAGE_H_

#include <filesystem>

#include "stages/preference/rank_keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

inline constexpr const char* kPairsFile = "pairs.jsonl";

/// Rewards of sampled answers and the preference pairs that follow: pairs.jsonl in prompt order and
/// statistics.json with what was left out and why. Throws DataError where no pair is left.
/// Collective.
void run_rank(const RankStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Reads the samples, where a file has them. Throws where the stage could not score them, or no
/// pair would be left.
void check_rank(const RankStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_RANK_STAGE_H_
