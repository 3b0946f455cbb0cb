#ifndef XKDE_STAGES_EVALUATE_QUESTIONS_H_
#define XKDE_STAGES_EVALUATE_QUESTIONS_H_

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/text/chat_template.h"
#include "stages/evaluate/keys.h"
#include "stages/train/survey.h"

namespace xkde::recipe {

/// What an evaluation will ask, as far as it is known without weights: what a memory finds and
/// which demonstrations are near is not, so each question has its own fact before it.
struct EvalQuestions {
  EvalInputs edits;
  EvalQuestionnaire asked;
  ChatTemplate chat_template;  ///< in which questions are asked
};

/// Throws as check_editor() where the stage's method writes into weights.
void check_editor_of(const EvaluateStage& stage, const SurveyInputs& inputs);

/// Throws as the stage would before its first answer: what reading the benchmark, check_editor()
/// and the choice of a chat template throw.
EvalQuestions eval_questions(const EvaluateStage& stage, const SurveyInputs& inputs);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_QUESTIONS_H_
