#ifndef XKDE_CORE_EDIT_SCORED_SEQUENCE_H_
#define XKDE_CORE_EDIT_SCORED_SEQUENCE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// A prompt with its target, tokenised for teacher forcing as a published evaluator does. `ids`
/// ends with the last position that predicts: position first_prediction + i of the model's output
/// predicts target_ids[i], and first_prediction + target_ids.size() == ids.size().
struct ScoredSequence {
  std::vector<int64_t> ids;
  int64_t first_prediction = 0;
  std::vector<int64_t> target_ids;
};

/// X-KDE's way (protocol 6.1); target_ids are those of the target on its own, in context it may be
/// cut into other pieces. ChatML: the chat text with target and "<|im_end|>" as one string,
/// positions |S|-m-2 … |S|-3. Gemma: the same behind BOS, with its own marks. Llama-2: BOS and "
/// [INST] user [/INST] target", positions |S|-m-1 … |S|-2. Plain: "user target" behind the special
/// tokens that the tokenizer begins a text with, with the slice of Llama-2. Another template of a
/// model: the finished conversation, by the slice of ChatML, with all tokens behind the target in
/// the place of "<|im_end|>". Throws DataError when the target has no tokens, ConfigError when BOS
/// is wanted and the tokenizer has none.
ScoredSequence scored_sequence(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                               std::string_view user, std::string_view target);

/// How many of the ids of `scored`, which scored_sequence() made of the same, are the prompt's.
/// What is scored may begin before or behind its end.
int64_t prompt_length(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                      std::string_view user, std::string_view target, const ScoredSequence& scored);

/// EasyEdit's way (protocol 6.2): "prompt target" with the tokenizer's special tokens, target_ids
/// are the ids from the number of ids of "prompt" on. No chat template. Throws DataError when there
/// are none.
ScoredSequence scored_in_context(const Tokenizer& tokenizer, std::string_view prompt,
                                 std::string_view target);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_SCORED_SEQUENCE_H_
