#ifndef XKDE_STAGES_CAPABILITY_STAGE_H_
#define XKDE_STAGES_CAPABILITY_STAGE_H_

#include <filesystem>

#include "stages/capability/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Cuts the stage's files into what the model would be asked. Throws what the stage would throw.
void check_capability(const CapabilityStage& stage, const SurveyInputs& inputs);

/// Scores texts and questions with choices (protocol 6.9). Writes results.json, predictions.jsonl
/// (one object a document or question), statistics.json, likelihoods.jsonl and metrics.jsonl (one
/// object a chunk) into `folder`. The ranks take chunks from a shared counter, and a run that was
/// killed goes on behind its finished chunks. Collective.
void run_capability(const CapabilityStage& stage, const std::filesystem::path& folder,
                    RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_CAPABILITY_STAGE_H_
