#ifndef XKDE_STAGES_EVALUATE_ANSWERS_H_
#define XKDE_STAGES_EVALUATE_ANSWERS_H_

#include <filesystem>

#include "core/evaluate/eval_answers.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/evaluate/scored_prompts.h"
#include "stages/evaluate/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

inline constexpr const char* kAnswersFile = "answers.jsonl";

/// What an editor did on the way.
struct EditingNotes {
  double seconds = 0.0;     ///< of writing, the mean over ranks
  int64_t state_bytes = 0;  ///< of all ranks
  Json statistics;          ///< what statistics.json says of it; null where no editor wrote
};

/// Answers of the model, on rank 0, and what went before them, on all ranks.
struct AskedModel {
  EvalAnswers answers;
  EditingNotes editing;
};

/// Asks the model; `scored` are the prompts of `asked`. A method that writes weights writes the
/// edits of a group of questions before they are asked: of one edit, each rank by itself. Ranks
/// take chunks from a shared counter. Finished chunks are kept in kAnswersFile of `folder`: a run
/// that was stopped or killed asks only the others when it starts again. Answers do not depend on
/// the number of ranks. Rank 0 gets all of them, the other ranks get none. Throws StopRequested.
/// Collective.
AskedModel ask_model(const EvaluateStage& stage, const EvalInputs& inputs,
                     const EvalQuestionnaire& asked, const ScoredPrompts& scored,
                     const std::filesystem::path& folder, RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_ANSWERS_H_
