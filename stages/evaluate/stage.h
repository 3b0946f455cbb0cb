#ifndef XKDE_STAGES_EVALUATE_STAGE_H_
#define XKDE_STAGES_EVALUATE_STAGE_H_

#include <filesystem>

#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "stages/evaluate/keys.h"
#include "stages/run/run_context.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// Throws ConfigError where free answers are asked in a chat template and there is none, DataError
/// where the model has no token that ends an answer. `chat_template` is the recipe's.
void check_free_answers(const EvaluateStage& stage, const PretrainedModel& model,
                        const ChatTemplate& chat_template);

/// Scores edits by teacher forcing (protocol 6), one by one or out of an edit memory (protocol
/// 7.1). Writes results.json, predictions.jsonl, statistics.json and metrics.jsonl (one object a
/// chunk) into `folder`. The ranks take chunks of prompts from a shared counter; the files do not
/// depend on how many there are, and a run that was killed goes on behind its finished chunks.
/// Collective.
void run_evaluate(const EvaluateStage& stage, const std::filesystem::path& folder,
                  RunContext& context);

/// Makes the ids of what the stage scores, each question with its own fact shown where the stage
/// looks facts up. Throws as the stage would before its first answer.
void check_evaluate(const EvaluateStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_STAGE_H_
