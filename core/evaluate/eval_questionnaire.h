#ifndef XKDE_CORE_EVALUATE_EVAL_QUESTIONNAIRE_H_
#define XKDE_CORE_EVALUATE_EVAL_QUESTIONNAIRE_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/evaluate/eval_inputs.h"
#include "core/evaluate/eval_plan.h"
#include "core/evaluate/free_answers.h"

namespace xkde {

/// A text that the model is asked to continue, once, however many questions come to the same words.
struct EvalText {
  size_t weights =
      0;  ///< which weights answer it: 0 those as trained, n EvalQuestionnaire::edited[n - 1]
  std::string user;

  auto operator<=>(const EvalText&) const = default;
};

/// A text with the target that teacher forcing scores.
struct EvalPrompt {
  EvalText text;
  std::string target;
  int64_t edits = 0;  ///< whose reliability it tests, each counted at each moment
};

/// A text that is answered free-running, in its context.
struct FreePrompt {
  FreeContext context{};
  EvalText text;

  auto operator<=>(const FreePrompt&) const = default;
};

/// One question of an edit at one moment.
struct EvalItem {
  size_t moment = 0;
  size_t question = 0;              ///< index in EvalEdit::asked
  std::vector<int64_t> retrieved;   ///< edits of the stream in the context, best first
  int64_t rank_of_fact = 0;         ///< of the edit's own fact among them, from 1; 0: not there
  size_t prompt = 0;                ///< index in EvalQuestionnaire::prompts
  std::optional<size_t> reference;  ///< locality: index in `references`
  /// Indices in `free_prompts`, one for each context that is asked of the question.
  std::vector<size_t> free;
  /// Locality: indices in `free_references` of what is compared with, one for each of `free`.
  std::vector<size_t> free_references;
};

/// Weights that a method made of the edits [begin, end) of a stream.
struct EditedWeights {
  size_t stream = 0;  ///< index in EvalInputs::streams, of the first one with these edits
  int64_t begin = 0;
  int64_t end = 0;

  auto operator<=>(const EditedWeights&) const = default;
};

/// All that one evaluation asks. Items stand in the order of the output files. Texts stand in the
/// order of weights and words, each once, so that neighbours share their beginnings.
struct EvalQuestionnaire {
  std::vector<EditMoment> moments;
  std::vector<EvalItem> items;
  std::vector<EvalPrompt> prompts;
  std::vector<size_t> references;         ///< indices in `prompts`: locality with nothing shown
  std::vector<FreePrompt> free_prompts;   ///< in the order of contexts, weights and words
  std::vector<size_t> free_references;    ///< indices in `free_prompts`: locality, nothing shown
  std::vector<EvalText> fluency_prompts;  ///< edit questions, as they stand
  std::vector<EditedWeights> edited;      ///< in the order of moments; none where no method writes
};

/// What the memory gave for one question of one moment; in the order of moments and questions.
using Retrieved = std::vector<std::vector<int64_t>>;

/// `retrieved` is empty where the true fact is shown. `demonstrations`: of each edit of each
/// stream, or empty. Deterministic.
EvalQuestionnaire make_questionnaire(const EvalOptions& options, const EvalInputs& inputs,
                                     std::vector<EditMoment> moments, const Retrieved& retrieved,
                                     const std::vector<std::vector<std::string>>& demonstrations);

/// A digest of all texts that are asked and of the weights that answer them, in their order.
std::string digest_of(const EvalQuestionnaire& asked);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EVAL_QUESTIONNAIRE_H_
