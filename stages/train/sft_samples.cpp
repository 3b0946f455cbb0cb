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

/// Nothing where the question alone fills `longest` tokens.
std::optional<SftSample> sample_of(const Conversation& conversation, const SftStage& stage,
                                   const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                                   int64_t longest) {
  SftSample sample =
      stage.sample_format == "xeit_v2"
          ? encode_as_xeit_v2(tokenizer, chat_template, conversation)
          : encode_sample(tokenizer, chat_template, conversation, stage.train_on_end_of_turn);
  if (stage.truncation == "end" && sample.prompt_length() >= longest) return std::nullopt;
  const std::string name = "conversation " + conversation.id;
  if (stage.truncation == "proportional") {
    truncate_in_proportion(sample, longest, name);
  } else {
    truncate_sample(sample, longest, name);
  }
  return sample;
}

}  // namespace

std::vector<SftSample> encode_samples(const std::vector<Conversation>& conversations,
                                      const std::string& source, const SftStage& stage,
                                      const PretrainedModel& model,
                                      const ChatTemplate& chat_template, int64_t* left_out) {
  std::vector<SftSample> samples;
  int64_t too_long = 0;
  const int64_t longest = std::min(stage.max_length, model.config.context_length());
  for (size_t i = 0; i < conversations.size(); ++i) {
    check_stop();
    std::optional<SftSample> sample =
        at_row([&] { return concat(source, ": row ", i); },
               [&] {
                 return sample_of(conversations[i], stage, model.tokenizer, chat_template, longest);
               });
    if (sample) {
      samples.push_back(*std::move(sample));
    } else {
      ++too_long;
    }
  }
  XKDE_CHECK(!samples.empty(), DataError, source, ": expected training samples, found none (",
             too_long, " have no place for an answer within ", longest, " tokens)");
  if (left_out != nullptr) *left_out = too_long;
  return samples;
}

}  // namespace xkde::recipe
