#ifndef XKDE_STAGES_TRAIN_DEV_HISTORY_H_
#define XKDE_STAGES_TRAIN_DEV_HISTORY_H_

#include <cstdint>
#include <filesystem>
#include <utility>
#include <vector>

namespace xkde::recipe {

/// The losses of the dev set so far. A checkpoint keeps them.
class DevHistory {
 public:
  DevHistory() = default;
  explicit DevHistory(std::vector<double> losses) : losses_(std::move(losses)) {}

  void add(double loss) { losses_.push_back(loss); }
  const std::vector<double>& losses() const noexcept { return losses_; }
  /// Evaluations since the best one.
  int64_t stale() const;

 private:
  std::vector<double> losses_;
};

/// The "eval_loss" of each line of a metrics.jsonl that has one, none where there is no file: what
/// a run goes on with whose checkpoint was written before checkpoints kept these losses.
std::vector<double> dev_losses_in(const std::filesystem::path& metrics);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_DEV_HISTORY_H_
