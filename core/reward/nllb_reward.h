#ifndef XKDE_CORE_REWARD_NLLB_REWARD_H_
#define XKDE_CORE_REWARD_NLLB_REWARD_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/reward/reward.h"

namespace xkde {

struct NllbRewardOptions {
  /// NLLB codes for every case, whatever its languages; the published run has zho_Hans and
  /// eng_Latn. Otherwise the answer's language is the source and the gold's the target.
  std::optional<std::string> source_code = std::nullopt;
  std::optional<std::string> target_code = std::nullopt;
  int64_t max_tokens_per_batch = 1024;  ///< sources and labels together
};

/// 1 / mean loss of an NLLB model translating an answer into the gold answer; the mean is over all
/// label tokens, language code and </s> included; both are cut off after 512 tokens. Source:
/// protocol 5.2. `folder` is a Hugging Face folder with what nllb_files lists. Throws
/// MissingInputError, DataError (weights and tokenizer that do not fit each other, among others) or
/// ConfigError (an unknown fixed code).
std::unique_ptr<Reward> make_nllb_reward(const std::filesystem::path& folder,
                                         const NllbRewardOptions& options = {});

/// Throws what make_nllb_reward() would, but reads no weights.
void check_nllb_reward(const std::filesystem::path& folder, const NllbRewardOptions& options = {});

/// 1 / mean of `losses`, which has at least one element.
double inverse_mean_loss(std::span<const double> losses);

}  // namespace xkde

#endif  // XKDE_CORE_REWARD_NLLB_REWARD_H_
