#ifndef XKDE_STAGES_EVALUATE_EVAL_QUESTIONNAIRE_H_
#define XKDE_STAGES_EVALUATE_EVAL_QUESTIONNAIRE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/edit/prompt.h"
#include "core/evaluate/eval_plan.h"
#include "stages/evaluate/eval_inputs.h"

namespace xkde::recipe {

/// What a model is asked once, however many questions come to the same words.
struct EvalPrompt {
  std::string user;
  std::string target;
  int64_t edits = 0;  ///< whose reliability it tests, each counted at each moment
};

/// One question of an edit at one moment.
struct EvalItem {
  size_t moment = 0;
  size_t question = 0;              ///< index in EvalEdit::asked
  std::vector<int64_t> retrieved;   ///< edits of the stream in the context, best first
  int64_t rank_of_fact = 0;         ///< of the edit's own fact among them, from 1; 0: not there
  size_t prompt = 0;                ///< index in EvalQuestionnaire::prompts
  std::optional<size_t> reference;  ///< locality: index in `references`
  std::optional<size_t> free;       ///< index in `free_prompts`
};

/// All that one evaluation asks: items in the order of the output files, the texts behind them in
/// lexicographic order, each once, so that neighbours share their beginnings.
struct EvalQuestionnaire {
  std::vector<EditMoment> moments;
  std::vector<EvalItem> items;
  std::vector<EvalPrompt> prompts;
  std::vector<size_t> references;            ///< indices in `prompts`: locality with nothing shown
  std::vector<std::string> free_prompts;     ///< answered free-running
  std::vector<std::string> fluency_prompts;  ///< edit questions, as they stand
};

PromptMethod prompt_method(const EvaluateStage& stage);

/// What the memory gave for one question of one moment; in the order of moments and questions.
using Retrieved = std::vector<std::vector<int64_t>>;

/// `retrieved` is empty where the true fact is shown. `demonstrations`: of each edit of each
/// stream, or empty. Deterministic.
EvalQuestionnaire make_questionnaire(const EvaluateStage& stage, const EvalInputs& inputs,
                                     std::vector<EditMoment> moments, const Retrieved& retrieved,
                                     const std::vector<std::vector<std::string>>& demonstrations);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_EVALUATE_EVAL_QUESTIONNAIRE_H_
