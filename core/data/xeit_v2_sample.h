#ifndef XKDE_CORE_DATA_XEIT_V2_SAMPLE_H_
#define XKDE_CORE_DATA_XEIT_V2_SAMPLE_H_

#include "core/data/conversation.h"
#include "core/data/sft_sample.h"
#include "core/text/chat_template.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// A sample as the scripts of the paper's current recipe make it (protocol 2.6 and Q4 to Q6): the
/// whole conversation as the template writes it, tokenised as one text with special tokens (so
/// Llama-2's BOS comes twice), trained wherever no user's turn is, found by the ids of the turn
/// marks, except for the pad token. So a ChatML answer trains its closing token and the line break
/// after it, a Llama-2 answer the lone blank before a closing token that is not trained itself (it
/// is the pad token). Untrained throughout when a mark is not found, as its collator decides.
/// Throws ConfigError for a plain template.
SftSample encode_as_xeit_v2(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                            const Conversation& conversation);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_XEIT_V2_SAMPLE_H_
