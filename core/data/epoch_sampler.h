#ifndef XKDE_CORE_DATA_EPOCH_SAMPLER_H_
#define XKDE_CORE_DATA_EPOCH_SAMPLER_H_

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace xkde {

/// The order in which training sees its samples: each epoch a random order of all of them, cut into
/// global batches; the last batch of an epoch may be short, or is filled from the epoch's
/// beginning. A batch is a pure function of (seed, epoch, step): it knows neither ranks nor what
/// was asked before, so a run resumed on any number of ranks goes on with the same batches.
class EpochSampler {
 public:
  /// Throws ConfigError unless num_samples > 0 and global_batch > 0.
  EpochSampler(uint64_t seed, int64_t num_samples, int64_t global_batch, bool fills_last = false);

  /// From now on an epoch is a random order of groups, the samples of each in their own order:
  /// group_of[i] is the group of sample i, from 0.
  void keep_together(const std::vector<int64_t>& group_of);

  /// From now on no epoch has these samples. The others keep their order. Throws ConfigError when
  /// none is left.
  void leave_out(const std::vector<int64_t>& samples);

  int64_t steps_per_epoch() const noexcept {
    return (num_used_ + global_batch_ - 1) / global_batch_;
  }
  /// The sample indices of the whole epoch.
  std::vector<int64_t> order(int64_t epoch) const;
  /// Those of one batch; `step` in [0, steps_per_epoch()). Keeps the epoch's order for the next
  /// call: one thread only.
  std::vector<int64_t> batch(int64_t epoch, int64_t step);
  /// (epoch, step in it) of a step counted over all epochs.
  std::pair<int64_t, int64_t> position(int64_t global_step) const noexcept {
    return {global_step / steps_per_epoch(), global_step % steps_per_epoch()};
  }

 private:
  uint64_t seed_;
  int64_t num_samples_;
  int64_t num_used_;  ///< without those that are left out
  int64_t global_batch_;
  bool fills_last_;
  std::vector<std::vector<int64_t>> groups_;  ///< of sample indices; none: each is one
  std::vector<char> is_left_out_;             ///< by sample; none: nothing is
  std::optional<int64_t> kept_epoch_;
  std::vector<int64_t> kept_order_;
};

}  // namespace xkde

#endif  // XKDE_CORE_DATA_EPOCH_SAMPLER_H_
