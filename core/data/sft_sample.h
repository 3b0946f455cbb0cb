#ifndef XKDE_CORE_DATA_SFT_SAMPLE_H_
#define XKDE_CORE_DATA_SFT_SAMPLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/conversation.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// A training sequence: `trained[i]` is 1 where ids[i] is a target (predicted from the ids before
/// it), 0 where it is only read. Both have one entry a token.
struct SftSample {
  std::vector<int64_t> ids;
  std::vector<uint8_t> trained;

  int64_t num_trained() const;
  /// Tokens before the first target: what samples of one question have in common.
  int64_t prompt_length() const;
};

/// The prompt of `user` (with BOS where the template leaves it to the tokenizer), then the ids of
/// `answer` on its own, then, with `train_on_end_of_turn`, the token that closes a turn. Answer and
/// closing token are trained. Throws ConfigError when the template's closing token or BOS is not in
/// the vocabulary, DataError when the answer has no tokens.
/// A model's own template that is neither ChatML nor Llama-2's: the ids are those of the whole
/// conversation as one text. Trained is what it marks by {% generation %}, else each answer from
/// where its prompt ends, and the first special token behind it. What stands behind the last
/// trained token is left out. A template without a closing token gets EOS there.
SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        std::string_view user, std::string_view answer, bool train_on_end_of_turn);

/// As above for several turns: every answer is trained. Closing tokens between turns stand in the
/// sequence in any case and are trained with `train_on_end_of_turn`.
SftSample encode_sample(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                        const Conversation& conversation, bool train_on_end_of_turn);

/// Keeps the first `max_length` tokens. Throws DataError naming `name` when no target is left.
void truncate_sample(SftSample& sample, int64_t max_length, const std::string& name);

/// As above, but shortens the part before the first target and the rest of the sample in
/// proportion, each at its end, by the rule of LLaMA-Factory (`infer_seqlen`): a part that is less
/// than half of `max_length` is kept whole.
void truncate_in_proportion(SftSample& sample, int64_t max_length, const std::string& name);

/// The ids of a rendered prompt (ChatTemplate::prompt) as encode_sample writes them: what
/// generation should start from as well. Llama-2: BOS first, and no blank at the end, since the
/// answer's first piece brings it. Plain: behind what the tokenizer begins every text with.
std::vector<int64_t> encode_prompt(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                                   std::string_view prompt);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_SFT_SAMPLE_H_
