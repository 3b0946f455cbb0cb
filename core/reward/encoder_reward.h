#ifndef XKDE_CORE_REWARD_ENCODER_REWARD_H_
#define XKDE_CORE_REWARD_ENCODER_REWARD_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/reward/reward.h"

namespace xkde {

/// Cosine, in [-1, 1], of the embeddings that a multilingual sentence encoder gives an answer and
/// its gold; a distinct text is embedded once a call. `folder` as for SentenceEncoder::open;
/// `prefix` stands before every text, by default the encoder's own prompt. Throws MissingInputError
/// or DataError.
std::unique_ptr<Reward> make_encoder_reward(const std::filesystem::path& folder,
                                            int64_t max_tokens_per_batch = 1024,
                                            const std::optional<std::string>& prefix = {});

}  // namespace xkde

#endif  // XKDE_CORE_REWARD_ENCODER_REWARD_H_
