#ifndef XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
#define XKDE_CORE_EDIT_EDIT_QUESTIONS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/edit_record.h"
#include "core/data/language.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer.h"

namespace xkde {

/// In the order of every output file and table.
enum class Metric { kReliability, kGenerality, kLocality, kPortability };
inline constexpr Metric kMetrics[] = {Metric::kReliability, Metric::kGenerality, Metric::kLocality,
                                      Metric::kPortability};
/// "reliability" and so on, as results.json has it.
std::string_view metric_name(Metric metric);

/// What one metric asks of one record, without any edit (protocol 6.1): question and target in the
/// test language.
struct EditQuestion {
  Metric metric = Metric::kReliability;
  std::string question;
  std::string target;
};

/// The questions that the side has, in the order of kMetrics: a record without portability asks
/// three.
std::vector<EditQuestion> edit_questions(const EditSide& test_side);

/// A question as the model is asked it. Locality is asked twice, bare and with the edit, and scored
/// by comparing the two; the others are asked with the edit and scored against the target's ids.
struct EvalPrompt {
  Metric metric = Metric::kReliability;
  bool has_edit = true;
  std::string user_text;
  std::string target;
};

/// The one or two prompts of a question (bare before edited) with these facts in the context.
std::vector<EvalPrompt> eval_prompts(const EditQuestion& question,
                                     const std::vector<std::string>& facts,
                                     std::string_view language_name);

/// Single editing: all prompts of a record with its own fact. Throws DataError when the record
/// lacks a language.
std::vector<EvalPrompt> eval_prompts(const EditRecord& record, const Language& edit,
                                     const Language& test);

/// The record's side in a language. Throws DataError naming record and language.
const EditSide& side_of(const EditRecord& record, const Language& language);

/// A prompt with its target, tokenised for teacher forcing as the published evaluator does.
/// `ids` ends with the last position that predicts: position first_prediction + i of the model's
/// output predicts target_ids[i], and first_prediction + target_ids.size() == ids.size().
struct ScoredSequence {
  std::vector<int64_t> ids;
  int64_t first_prediction = 0;
  std::vector<int64_t>
      target_ids;  ///< of the target on its own; in context it may be cut into other pieces
};

/// Protocol 6.1. ChatML: the chat text with target and "<|im_end|>" as one string, positions
/// |S|-m-2 … |S|-3. Llama-2: BOS and " [INST] user [/INST] target", positions |S|-m-1 … |S|-2.
/// Plain: "user target" with the slice of Llama-2. Throws DataError when the target has no tokens,
/// ConfigError when BOS is wanted and the tokenizer has none.
ScoredSequence scored_sequence(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                               std::string_view user, std::string_view target);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_EDIT_QUESTIONS_H_
