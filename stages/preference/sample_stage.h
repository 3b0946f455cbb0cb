#ifndef XKDE_STAGES_PREFERENCE_SAMPLE_STAGE_H_
#define XKDE_STAGES_PREFERENCE_SAMPLE_STAGE_H_

#include <filesystem>

#include "stages/preference/sample_keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

inline constexpr const char* kSamplesFile = "samples.jsonl";

/// Answers of the context's model to the training prompts: samples.jsonl in prompt order, a line of
/// metrics.jsonl a chunk, statistics.json. A prompt that fills the model's context gets no answers
/// and is counted. Goes on behind what an earlier run finished. Throws StopRequested between chunks
/// when asked to stop. Collective.
void run_sample(const SampleStage& stage, const std::filesystem::path& folder, RunContext& context);

/// Makes the stage's prompts. Throws as the stage would before its first answer.
void check_sample(const SampleStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_SAMPLE_STAGE_H_
