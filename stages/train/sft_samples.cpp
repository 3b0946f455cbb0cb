#include "stages/train/sft_samples.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/data/at_row.h"
#include "core/data/xeit_v2_sample.h"

namespace xkde::recipe {
namespace {

/// Tokens of a sample at most.
int64_t longest_of(const SftStage& stage, const PretrainedModel& model) {
  return std::min(stage.max_length, model.config.context_length());
}

}  // namespace

SftSample whole_sample(const Conversation& conversation, const SftStage& stage,
                       const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  return stage.sample_format == "xeit_v2"
             ? encode_as_xeit_v2(tokenizer, chat_template, conversation)
             : encode_sample(tokenizer, chat_template, conversation, stage.train_on_end_of_turn);
}

std::optional<SftSample> limited_sample(const Conversation& conversation, const SftStage& stage,
                                        const PretrainedModel& model,
                                        const ChatTemplate& chat_template) {
  SftSample sample = whole_sample(conversation, stage, model.tokenizer, chat_template);
  const int64_t longest = longest_of(stage, model);
  if (stage.truncation == "end" && sample.prompt_length() >= longest) return std::nullopt;
  const std::string name = "conversation " + conversation.id;
  if (stage.truncation == "proportional") {
    truncate_in_proportion(sample, longest, name);
  } else {
    truncate_sample(sample, longest, name);
  }
  return sample;
}

std::vector<SftSample> encode_samples(const std::vector<Conversation>& conversations,
                                      const std::string& source, const SftStage& stage,
                                      const PretrainedModel& model,
                                      const ChatTemplate& chat_template, int64_t* left_out) {
  std::vector<SftSample> samples;
  int64_t too_long = 0;
  for (size_t i = 0; i < conversations.size(); ++i) {
    check_stop();
    std::optional<SftSample> sample =
        at_row([&] { return concat(source, ": row ", i); },
               [&] { return limited_sample(conversations[i], stage, model, chat_template); });
    if (sample) {
      samples.push_back(*std::move(sample));
    } else {
      ++too_long;
    }
  }
  XKDE_CHECK(!samples.empty(), DataError, source, ": expected training samples, found none (",
             too_long, " have no place for an answer within ", longest_of(stage, model),
             " tokens)");
  if (left_out != nullptr) *left_out = too_long;
  return samples;
}

}  // namespace xkde::recipe
