#include "core/reward/reward.h"

#include "core/metrics/chrf.h"

namespace xkde {
namespace {

class ChrfReward : public Reward {
 public:
  std::vector<std::vector<double>> score(std::span<const RewardCase> cases) const override {
    std::vector<std::vector<double>> scores;
    for (const RewardCase& one : cases) {
      std::vector<double>& row = scores.emplace_back();
      for (const std::string& answer : one.answers) row.push_back(chrf(answer, one.gold));
    }
    return scores;
  }
};

}  // namespace

std::unique_ptr<Reward> make_chrf_reward() { return std::make_unique<ChrfReward>(); }

}  // namespace xkde
