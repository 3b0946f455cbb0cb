#ifndef XKDE_CORE_EVALUATE_SCORED_PROMPTS_H_
#define XKDE_CORE_EVALUATE_SCORED_PROMPTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/edit/scored_sequence.h"
#include "core/evaluate/eval_questionnaire.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// Ids of one of several prompts in a row, and with how many of them the one before it begins, too.
struct PromptTokens {
  int64_t whole = 0;
  int64_t shared = 0;
};

/// The prompts of a questionnaire with their targets as token ids, by the options' scoring.
class ScoredPrompts {
 public:
  struct Writer {
    const Tokenizer& tokenizer;
    const ChatTemplate& chat_template;
  };
  /// All outlive the object.
  ScoredPrompts(const EvalOptions& options, const EvalInputs& inputs,
                const EvalQuestionnaire& asked, Writer writer)
      : options_(options), inputs_(inputs), asked_(asked), writer_(writer) {}

  /// Of asked.prompts[prompt]. Throws as scored_sequence() and scored_in_context(), and for a chat
  /// that the template turns away; the message begins with a question that comes to these words:
  /// "data.json: row 3: locality: …".
  ScoredSequence at(size_t prompt) const;
  /// How many ids of at(prompt), which is `scored`, are those that a free answer begins behind.
  int64_t prompt_length(size_t prompt, const ScoredSequence& scored) const;
  std::vector<size_t> numbers() const;  ///< of all prompts
  /// Of the prompts with these numbers, one after another. Throws as at().
  std::vector<PromptTokens> tokens(std::span<const size_t> prompts) const;
  const ChatTemplate& chat_template() const noexcept { return writer_.chat_template; }

 private:
  std::string place_of(size_t prompt) const;

  const EvalOptions& options_;
  const EvalInputs& inputs_;
  const EvalQuestionnaire& asked_;
  Writer writer_;
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_SCORED_PROMPTS_H_
