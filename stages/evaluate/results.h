#ifndef XKDE_STAGES_EVALUATE_RESULTS_H_
#define XKDE_STAGES_EVALUATE_RESULTS_H_

#include <filesystem>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/evaluate/score_answers.h"
#include "core/io/json_file.h"
#include "stages/evaluate/keys.h"
#include "stages/run/run_context.h"

namespace xkde::recipe {

/// What an evaluation found.
struct EvalOutcome {
  ScoredEvaluation scored;
  Json editor;  ///< what statistics.json says of the editor; null where none wrote
  Json judge;   ///< what statistics.json says of the judge; null where none was asked
};

/// Writes predictions.jsonl (by size, stream, edit and question),
/// results.json and statistics.json (what was asked, what was left out and why, how far scorers of
/// free answers agree). On one rank.
void write_eval_results(const EvaluateStage& stage, const EvalInputs& inputs,
                        const EvalQuestionnaire& asked, const EvalOutcome& found,
                        const std::filesystem::path& folder, const RunContext& context);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_RESULTS_H_
