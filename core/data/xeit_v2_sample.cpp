#include "core/data/xeit_v2_sample.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"

namespace xkde {
namespace {

using Ids = std::vector<int64_t>;

/// The marks that the scripts look for, and the token that they pad with.
struct Marks {
  Ids user, answer;
  std::optional<int64_t> pad;
};

Marks marks_of(const Tokenizer& tokenizer, const ChatTemplate& chat_template) {
  if (chat_template.format() == ChatTemplate::Format::kLlama2) {
    return {tokenizer.encode("[INST]"), tokenizer.encode("[/INST]"), tokenizer.eos_id()};
  }
  XKDE_CHECK(
      chat_template.format() == ChatTemplate::Format::kChatMl, ConfigError,
      "sample_format: xeit_v2: expected a ChatML or Llama-2 chat template, found another one");
  return {tokenizer.encode("<|im_start|>user"), tokenizer.encode("<|im_start|>assistant\n"),
          tokenizer.token_to_id("<|fim_pad|>")};
}

/// Where `mark` begins in `ids`; a pad token never matches, since it is masked first.
std::vector<size_t> places_of(const Ids& ids, const Marks& marks, const Ids& mark) {
  std::vector<size_t> places;
  for (size_t i = 0; i + mark.size() <= ids.size(); ++i) {
    const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(i);
    const bool equal = std::equal(mark.begin(), mark.end(), begin);
    const bool masked = marks.pad && std::find(mark.begin(), mark.end(), *marks.pad) != mark.end();
    if (equal && !masked) places.push_back(i);
  }
  return places;
}

void leave_untrained(SftSample& sample, size_t begin, size_t end) {
  end = std::min(end, sample.trained.size());
  for (size_t i = begin; i < end; ++i) sample.trained[i] = 0;
}

}  // namespace

SftSample encode_as_xeit_v2(const Tokenizer& tokenizer, const ChatTemplate& chat_template,
                            const Conversation& conversation) {
  const Marks marks = marks_of(tokenizer, chat_template);
  SftSample sample;
  sample.ids = tokenizer.encode(chat_template.finished(conversation.turns),
                                /*add_special_tokens=*/true);
  sample.trained.assign(sample.ids.size(), 1);
  for (size_t i = 0; i < sample.ids.size(); ++i) {
    if (sample.ids[i] == marks.pad) sample.trained[i] = 0;
  }

  std::vector<size_t> users = places_of(sample.ids, marks, marks.user);
  const std::vector<size_t> answers = places_of(sample.ids, marks, marks.answer);
  if (users.empty() || answers.empty()) {
    leave_untrained(sample, 0, sample.ids.size());
    return sample;
  }
  if (users.front() > answers.front() + marks.answer.size()) users.insert(users.begin(), 0);
  for (size_t turn = 0; turn < std::min(users.size(), answers.size()); ++turn) {
    leave_untrained(sample, turn == 0 ? 0 : users[turn], answers[turn] + marks.answer.size());
  }
  if (answers.size() < users.size()) leave_untrained(sample, users.back(), sample.ids.size());
  return sample;
}

}  // namespace xkde
