#ifndef XKDE_CORE_EVALUATE_SCORE_ANSWERS_H_
#define XKDE_CORE_EVALUATE_SCORE_ANSWERS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/evaluate/eval_answers.h"
#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_options.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// The scores of one size and language pair, in the order of the output files.
struct ScoredBlock {
  std::vector<Prediction> predictions;
  int64_t records = 0;                 ///< edits that were asked
  std::vector<MetricSeries> of_edits;  ///< metrics with one value for each edit and moment
};

struct ScoredEvaluation {
  std::map<std::pair<size_t, size_t>, ScoredBlock> blocks;  ///< by index of size and of pair
  std::map<std::string, int64_t> skipped;  ///< reason -> questions that were left out
  std::vector<JudgeQuestion> to_judge;     ///< what a judge is asked, each once
};

/// Turns answers into scores. Questions whose prompt is longer than the model's context are left
/// out. `answers` has what the questionnaire asks.
ScoredEvaluation score_answers(const EvalOptions& options, const EvalInputs& inputs,
                               const EvalQuestionnaire& asked, const EvalAnswers& answers,
                               const Tokenizer& tokenizer);

/// What a judge said; nothing where a question is longer than its context.
using JudgeVerdicts = std::map<JudgeQuestion, std::optional<JudgeVerdict>>;
/// Gives the answers their verdicts. `verdicts` has all of scored.to_judge. Answers without one are
/// counted in scored.skipped.
void take_verdicts(const JudgeVerdicts& verdicts, ScoredEvaluation& scored);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_SCORE_ANSWERS_H_
