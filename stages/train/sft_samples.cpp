#include "stages/train/sft_samples.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/stop_signals.h"
#include "core/data/xeit_v2_sample.h"

namespace xkde::recipe {

std::vector<SftSample> encode_samples(const std::vector<Conversation>& conversations,
                                      const std::string& source, const SftStage& stage,
                                      const PretrainedModel& model,
                                      const ChatTemplate& chat_template, int64_t* left_out) {
  std::vector<SftSample> samples;
  int64_t too_long = 0;
  const int64_t longest = std::min(stage.max_length, model.config.context_length());
  for (const Conversation& conversation : conversations) {
    check_stop();
    SftSample sample = stage.sample_format == "xeit_v2"
                           ? encode_as_xeit_v2(model.tokenizer, chat_template, conversation)
                           : encode_sample(model.tokenizer, chat_template, conversation,
                                           stage.train_on_end_of_turn);
    if (stage.truncation == "end" && sample.prompt_length() >= longest) {
      ++too_long;
      continue;
    }
    const std::string name = source + ": " + conversation.id;
    if (stage.truncation == "proportional") {
      truncate_in_proportion(sample, longest, name);
    } else {
      truncate_sample(sample, longest, name);
    }
    samples.push_back(std::move(sample));
  }
  XKDE_CHECK(!samples.empty(), DataError, source, ": expected training samples, found none (",
             too_long, " have no place for an answer within ", longest, " tokens)");
  if (left_out != nullptr) *left_out = too_long;
  return samples;
}

}  // namespace xkde::recipe
