#ifndef XKDE_CORE_REWARD_REWARD_H_
#define XKDE_CORE_REWARD_REWARD_H_

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace xkde {

/// The answers sampled for one question, and its gold answer. Languages are ISO or file codes of
/// protocol 0.4; a reward that does not ask for them takes empty ones.
struct RewardCase {
  std::string gold;
  std::vector<std::string> answers;
  std::string gold_language;
  std::string answer_language;
};

/// How close sampled answers are to the gold answer. Immutable; score() is thread-safe.
class Reward {
 public:
  virtual ~Reward() = default;
  /// One number for each answer of each case; higher is closer. A number depends on its answer and
  /// case only, up to rounding. Throws ConfigError for a language that is missing or unknown,
  /// DataError for text that is not UTF-8, NumericError for a number that is not finite,
  /// StopRequested where the process was asked to stop.
  virtual std::vector<std::vector<double>> score(std::span<const RewardCase> cases) const = 0;
};

/// chrF2 (chrf.h), in [0, 100]. Needs no model.
std::unique_ptr<Reward> make_chrf_reward();

}  // namespace xkde

#endif  // XKDE_CORE_REWARD_REWARD_H_
