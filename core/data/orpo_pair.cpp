#include "core/data/orpo_pair.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace xkde {

OrpoSequence encode_orpo_sequence(const Tokenizer& tokenizer, std::string_view prompt,
                                  std::string_view answer) {
  const std::vector<int64_t> full = tokenizer.encode(std::string(prompt) + std::string(answer));
  const std::vector<int64_t> alone = tokenizer.encode(prompt);
  size_t border = std::min(alone.size(), full.size());
  const bool parts =
      alone.size() <= full.size() && std::equal(alone.begin(), alone.end(), full.begin());
  // As TRL: only the last token of the prompt is thought to melt into the answer.
  if (!parts && border > 0) border = std::min(border, alone.size() - 1);
  const auto at = full.begin() + static_cast<std::ptrdiff_t>(border);
  OrpoSequence sequence{{full.begin(), at}, {at, full.end()}};
  const auto bos = tokenizer.bos_id();
  if (bos && (sequence.prompt.empty() || sequence.prompt.front() != *bos)) {
    sequence.prompt.insert(sequence.prompt.begin(), *bos);
  }
  const auto eos = tokenizer.eos_id();
  if (eos && (sequence.answer.empty() || sequence.answer.back() != *eos)) {
    sequence.answer.push_back(*eos);
  }
  return sequence;
}

bool prompts_agree(const OrpoPair& pair) {
  const auto& a = pair.chosen.prompt;
  const auto& b = pair.rejected.prompt;
  const size_t common = std::min(a.size(), b.size());
  if (std::max(a.size(), b.size()) - common > 1) return false;
  size_t different = 0;
  for (size_t i = 0; i < common; ++i) different += a[i] != b[i] ? 1 : 0;
  return different <= 1;
}

bool all_have_tokens(const OrpoPair& pair) {
  return !pair.chosen.prompt.empty() && !pair.chosen.answer.empty() &&
         !pair.rejected.prompt.empty() && !pair.rejected.answer.empty();
}

void truncate_orpo_pair(OrpoPair& pair, const OrpoLimits& limits) {
  const auto longer =
      static_cast<int64_t>(std::max(pair.chosen.answer.size(), pair.rejected.answer.size()));
  for (OrpoSequence* one : {&pair.chosen, &pair.rejected}) {
    const auto fits = [&] {
      return static_cast<int64_t>(one->prompt.size()) + longer <= limits.max_length;
    };
    const auto length = static_cast<int64_t>(one->prompt.size());
    if (!fits() && length > limits.max_prompt_length) {
      const auto extra = static_cast<std::ptrdiff_t>(length - limits.max_prompt_length);
      if (limits.keep_end) {
        one->prompt.erase(one->prompt.begin(), one->prompt.begin() + extra);
      } else {
        one->prompt.erase(one->prompt.end() - extra, one->prompt.end());
      }
    }
    const auto room = static_cast<size_t>(limits.max_length - limits.max_prompt_length);
    if (!fits() && one->answer.size() > room) one->answer.resize(room);
  }
}

}  // namespace xkde
