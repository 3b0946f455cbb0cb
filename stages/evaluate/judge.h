#ifndef XKDE_STAGES_EVALUATE_JUDGE_H_
#define XKDE_STAGES_EVALUATE_JUDGE_H_

#include <filesystem>

#include "core/evaluate/score_answers.h"
#include "core/io/json_file.h"
#include "stages/evaluate/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// The folder in a stage's own that holds verdicts.jsonl and its metrics.jsonl.
inline constexpr const char* kJudgeFolder = "judge";

/// Has stage.judge say of each answer of `scored`, which rank 0 has, whether it is right (protocol
/// 6.10), and of its labelled rows. Ranks take chunks of questions from a shared counter. Verdicts
/// that the cache has are not asked again, and new ones are added to it. The judge takes the place
/// of the run's model, which is read again when it is asked for. A run that was killed goes on
/// behind its finished chunks; files do not depend on the number of ranks. Returns on rank 0 what
/// statistics.json says of the judge, else null. Throws StopRequested, and as JudgeModel and
/// VerdictCache. Collective.
Json judge_answers(const EvaluateStage& stage, ScoredEvaluation& scored,
                   const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_JUDGE_H_
