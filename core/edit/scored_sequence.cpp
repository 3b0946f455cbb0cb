#include "core/edit/scored_sequence.h"

#include <algorithm>
#include <string>
#include <vector>

#include "core/base/common_prefix.h"
#include "core/base/error.h"
#include "core/text/chat_ids.h"

namespace xkde {

namespace {

/// S of protocol 6.1, the number of ids that stand behind the target in it, and where the prompt
/// ends, without a blank before the target.
struct WholeText {
  std::string text;
  size_t ids_behind = 0;
  size_t prompt_end = 0;
};

WholeText whole_text(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                     std::string_view user, std::string_view target) {
  const std::string answer(target);
  switch (chat_template.format()) {
    case ChatTemplate::Format::kChatMl:
    case ChatTemplate::Format::kGemma:
      return {chat_template.prompt(user) + answer + chat_template.end_of_turn(), 1,
              chat_template.prompt(user).size()};
    case ChatTemplate::Format::kLlama2:
      // The blank before [INST] is the published evaluator's own: the model's template has none.
      return {concat(" [INST] ", user, " [/INST] ", answer), 0,
              concat(" [INST] ", user, " [/INST]").size()};
    case ChatTemplate::Format::kPlain:
      return {concat(user, " ", answer), 0, user.size()};
    case ChatTemplate::Format::kOwn: {
      const std::vector<ChatMessage> turns{{ChatMessage::Role::kUser, std::string(user)},
                                           {ChatMessage::Role::kAssistant, answer}};
      const std::string text = chat_template.finished(turns);
      const auto place = chat_template.places_of_answers(turns, text).back();
      const std::vector<int64_t> ids = tokenizer.encode(text);
      return {text, ids.size() - ids_before(tokenizer, ids, text, place.end, true), place.begin};
    }
  }
  throw InternalError("chat template: not one of the formats");
}

}  // namespace

ScoredSequence scored_sequence(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                               std::string_view user, std::string_view target) {
  const WholeText whole = whole_text(tokenizer, chat_template, user, target);
  ScoredSequence scored;
  scored.target_ids = tokenizer.encode(target);
  scored.ids = chat_template.format() == ChatTemplate::Format::kPlain
                   ? tokenizer.encode_beginning(whole.text)
                   : tokenizer.encode(whole.text);
  if (const auto bos = bos_before(tokenizer, chat_template))
    scored.ids.insert(scored.ids.begin(), *bos);
  const size_t num_targets = scored.target_ids.size();
  XKDE_CHECK(num_targets > 0, DataError, "target: expected at least one token, found none in \"",
             target, "\"");
  XKDE_CHECK(scored.ids.size() > num_targets + whole.ids_behind, DataError, "target \"", target,
             "\": expected fewer tokens than the whole prompt's ", scored.ids.size(), ", found ",
             num_targets);
  // The last id of the target predicts nothing that is scored, nor does what stands behind it.
  scored.ids.resize(scored.ids.size() - whole.ids_behind - 1);
  scored.first_prediction = static_cast<int64_t>(scored.ids.size() - num_targets);
  return scored;
}

int64_t prompt_length(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                      std::string_view user, std::string_view target,
                      const ScoredSequence& scored) {
  const WholeText whole = whole_text(tokenizer, chat_template, user, target);
  const std::string prompt = whole.text.substr(0, whole.prompt_end);
  std::vector<int64_t> ids = chat_template.format() == ChatTemplate::Format::kPlain
                                 ? tokenizer.encode_beginning(prompt)
                                 : tokenizer.encode(prompt);
  if (const auto bos = bos_before(tokenizer, chat_template)) ids.insert(ids.begin(), *bos);
  return std::max<int64_t>(1, common_prefix(ids, scored.ids));
}

ScoredSequence scored_in_context(const Tokenizer& tokenizer, std::string_view prompt,
                                 std::string_view target) {
  ScoredSequence scored;
  scored.ids = tokenizer.encode(concat(prompt, " ", target), /*add_special_tokens=*/true);
  const size_t start = tokenizer.encode(prompt, /*add_special_tokens=*/true).size();
  XKDE_CHECK(start > 0 && start < scored.ids.size(), DataError,
             "target: expected at least one token after the prompt's ", start, ", found none in \"",
             target, "\"");
  scored.target_ids.assign(scored.ids.begin() + static_cast<std::ptrdiff_t>(start),
                           scored.ids.end());
  scored.ids.pop_back();
  scored.first_prediction = static_cast<int64_t>(start) - 1;
  return scored;
}

}  // namespace xkde
