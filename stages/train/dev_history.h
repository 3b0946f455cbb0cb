#ifndef XKDE_STAGES_TRAIN_DEV_HISTORY_H_
#define XKDE_STAGES_TRAIN_DEV_HISTORY_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace xkde::recipe {

/// The losses of the dev set so far. A run that goes on finds them in its metrics.jsonl.
class DevHistory {
 public:
  /// The "eval_loss" of each line that has one; none where there is no file.
  static DevHistory read(const std::filesystem::path& metrics);
  static DevHistory parse(const std::string& text);
  std::string dump() const;  ///< what parse() reads

  void add(double loss) { losses_.push_back(loss); }
  int64_t count() const { return static_cast<int64_t>(losses_.size()); }
  /// Evaluations since the best one.
  int64_t stale() const;

 private:
  std::vector<double> losses_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_DEV_HISTORY_H_
