#ifndef XKDE_RECIPES_STAGES_EVAL_RESULTS_H_
#define XKDE_RECIPES_STAGES_EVAL_RESULTS_H_

#include <filesystem>

#include "recipes/stages/eval_answers.h"
#include "recipes/stages/eval_inputs.h"
#include "recipes/stages/eval_questionnaire.h"
#include "recipes/stages/run_context.h"

namespace xkde::recipe {

/// Scores the answers and writes predictions.jsonl (by size, stream, edit and question),
/// results.json and statistics.json (what was asked, what was left out and why). On one rank.
void write_eval_results(const EvaluateStage& stage, const EvalInputs& inputs,
                        const EvalQuestionnaire& asked, const EvalAnswers& answers,
                        const std::filesystem::path& folder, const RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_RECIPES_STAGES_EVAL_RESULTS_H_
