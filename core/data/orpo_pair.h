#ifndef XKDE_CORE_DATA_ORPO_PAIR_H_
#define XKDE_CORE_DATA_ORPO_PAIR_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// A prompt and an answer as ORPO reads them. The answer ends with EOS unless it was cut.
struct OrpoSequence {
  std::vector<int64_t> prompt;
  std::vector<int64_t> answer;

  bool operator==(const OrpoSequence&) const = default;
  auto operator<=>(const OrpoSequence&) const = default;
};

struct OrpoPair {
  OrpoSequence chosen;
  OrpoSequence rejected;
};

/// Names and meaning of TRL's ORPOConfig.
struct OrpoLimits {
  int64_t max_length = 512;
  int64_t max_prompt_length = 128;
  bool keep_end = true;  ///< of a prompt that is cut; else its start
};

/// Protocol 5.4, steps 1, 3, 4: prompt and answer are tokenised as one text without special tokens
/// and parted where the prompt alone ends, one token earlier where they melt together; BOS before
/// and EOS behind, where the tokenizer has them and they are not there.
OrpoSequence encode_orpo_sequence(const Tokenizer& tokenizer, std::string_view prompt,
                                  std::string_view answer);

/// Step 2: whether the prompts of both differ by one token at most.
bool prompts_agree(const OrpoPair& pair);

/// Whether both prompts and both answers have a token. An empty answer has none where the tokenizer
/// names no end token, and nothing to train on; an empty prompt has none where it names no BOS, and
/// nothing to predict an answer from.
bool all_have_tokens(const OrpoPair& pair);

/// Step 5: a prompt that leaves the longer answer no room within max_length is cut to
/// max_prompt_length, then an answer that has none still to the rest.
void truncate_orpo_pair(OrpoPair& pair, const OrpoLimits& limits);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_ORPO_PAIR_H_
