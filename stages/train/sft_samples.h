#ifndef XKDE_STAGES_TRAIN_SFT_SAMPLES_H_
#define XKDE_STAGES_TRAIN_SFT_SAMPLES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/data/conversation.h"
#include "core/data/sft_sample.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "stages/train/sft_keys.h"

namespace xkde::recipe {

/// A conversation as `stage` trains on it, in all its length.
SftSample whole_sample(const Conversation& conversation, const SftStage& stage,
                       const Tokenizer& tokenizer, const ChatTemplate& chat_template);
/// The same, cut to its max_length and to what the model was made for. Nothing where the question
/// alone fills that length and there is nothing to train on.
std::optional<SftSample> limited_sample(const Conversation& conversation, const SftStage& stage,
                                        const PretrainedModel& model,
                                        const ChatTemplate& chat_template);

/// The conversations as `stage` trains on them, cut to its max_length and to what the model was
/// made for; `source` begins messages. One whose question alone fills that length has nothing to
/// train on: it is left out, and counted in `left_out` where that is given. Throws DataError where
/// no sample is left, and, with `source` and row, what a conversation's encoding throws.
std::vector<SftSample> encode_samples(const std::vector<Conversation>& conversations,
                                      const std::string& source, const SftStage& stage,
                                      const PretrainedModel& model,
                                      const ChatTemplate& chat_template,
                                      int64_t* left_out = nullptr);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_SFT_SAMPLES_H_
