#ifndef XKDE_CORE_EDIT_PREFERENCE_PAIRS_H_
#define XKDE_CORE_EDIT_PREFERENCE_PAIRS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xkde {

/// An answer that the model gave to a prompt, and its reward.
struct ScoredAnswer {
  std::string text;
  double score = 0.0;
};

/// `chosen` is to become more likely than `rejected`.
struct PreferencePair {
  std::string chosen;
  std::string rejected;
  std::optional<double> score_chosen;  ///< none: the gold answer, which nobody scores
  double score_rejected = 0.0;
};

/// What make_pairs left out, and why.
struct DroppedPairs {
  int64_t repeated_answers = 0;  ///< the same text as an earlier answer
  int64_t equal_scores = 0;
  int64_t equal_texts = 0;  ///< but for what stands in <<...>>

  DroppedPairs& operator+=(const DroppedPairs& other);
};

/// The pairs of one prompt (protocol 5.3): each distinct answer against every one that has a lower
/// reward, best first, then the gold answer against the best of them. Adds to `dropped`.
std::vector<PreferencePair> make_pairs(const std::string& gold,
                                       std::span<const ScoredAnswer> answers,
                                       DroppedPairs& dropped);

/// Whether each prompt belongs to the dev split: equal prompts are one group, groups are numbered
/// as they first come, and every tenth from the first is dev.
std::vector<bool> choose_dev(std::span<const std::string> prompts);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_PREFERENCE_PAIRS_H_
