#ifndef XKDE_STAGES_EVALUATE_ANSWERS_H_
#define XKDE_STAGES_EVALUATE_ANSWERS_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "stages/evaluate/eval_questionnaire.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

inline constexpr const char* kAnswersFile = "answers.jsonl";

/// What the model predicts for a prompt's target, position by position. Both lists are empty where
/// the prompt is longer than the model's context.
struct ScoredAnswer {
  std::vector<int64_t> predicted_ids;
  std::vector<int64_t> target_ids;
};

/// Answers to a questionnaire, by the indices of its lists.
struct EvalAnswers {
  std::vector<ScoredAnswer> prompts;
  std::vector<ScoredAnswer> references;  ///< of the model before training; empty where not asked
  std::vector<std::string> free;
  std::vector<std::string> fluency;  ///< prompt and continuation (protocol 6.5)
};

/// Asks the model. Ranks take chunks from a shared counter; finished ones are kept in kAnswersFile
/// of `folder`, so that a run that was stopped or killed goes on behind them. Answers do not depend
/// on how many ranks there are. On rank 0 (empty elsewhere). Throws StopRequested. Collective.
EvalAnswers ask_model(const EvaluateStage& stage, const EvalQuestionnaire& asked,
                      const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_ANSWERS_H_
