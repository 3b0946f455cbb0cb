#include "core/data/epoch_sampler.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace xkde {

EpochSampler::EpochSampler(uint64_t seed, int64_t num_samples, int64_t global_batch,
                           bool fills_last)
    : seed_(seed),
      num_samples_(num_samples),
      num_used_(num_samples),
      global_batch_(global_batch),
      fills_last_(fills_last) {
  XKDE_CHECK(num_samples > 0, ConfigError, "training data: expected at least one sample, found ",
             num_samples);
  XKDE_CHECK(global_batch > 0, ConfigError, "global batch: expected a positive number, found ",
             global_batch);
}

void EpochSampler::keep_together(const std::vector<int64_t>& group_of) {
  XKDE_CHECK(std::ssize(group_of) == num_samples_, InternalError, "groups: expected those of ",
             num_samples_, " samples, found ", group_of.size());
  groups_.clear();
  for (size_t i = 0; i < group_of.size(); ++i) {
    const auto group = static_cast<size_t>(group_of[i]);
    if (group >= groups_.size()) groups_.resize(group + 1);
    groups_[group].push_back(static_cast<int64_t>(i));
  }
  kept_epoch_.reset();
}

void EpochSampler::leave_out(const std::vector<int64_t>& samples) {
  if (is_left_out_.empty()) is_left_out_.assign(static_cast<size_t>(num_samples_), 0);
  for (const int64_t sample : samples) is_left_out_.at(static_cast<size_t>(sample)) = 1;
  num_used_ = std::count(is_left_out_.begin(), is_left_out_.end(), 0);
  XKDE_CHECK(num_used_ > 0, ConfigError, "training data: expected at least one sample, found all ",
             num_samples_, " left out");
  kept_epoch_.reset();
}

std::vector<int64_t> EpochSampler::order(int64_t epoch) const {
  XKDE_CHECK(epoch >= 0, InternalError, "epoch: expected 0 or more, found ", epoch);
  RandomStream random(seed_, "data_order", static_cast<uint64_t>(epoch));
  std::vector<int64_t> order;
  if (groups_.empty()) {
    order = random.permutation(num_samples_);
  } else {
    for (const int64_t group : random.permutation(std::ssize(groups_))) {
      const std::vector<int64_t>& members = groups_[static_cast<size_t>(group)];
      order.insert(order.end(), members.begin(), members.end());
    }
  }
  if (is_left_out_.empty()) return order;
  std::erase_if(order,
                [this](int64_t sample) { return is_left_out_[static_cast<size_t>(sample)] != 0; });
  return order;
}

std::vector<int64_t> EpochSampler::batch(int64_t epoch, int64_t step) {
  XKDE_CHECK(step >= 0 && step < steps_per_epoch(), InternalError, "step: expected one in [0, ",
             steps_per_epoch(), "), found ", step);
  if (epoch != kept_epoch_) {
    kept_order_ = order(epoch);
    kept_epoch_ = epoch;
  }
  const int64_t first = step * global_batch_;
  const int64_t last = std::min(first + global_batch_, num_used_);
  std::vector<int64_t> indices(kept_order_.begin() + first, kept_order_.begin() + last);
  for (int64_t next = 0; fills_last_ && std::ssize(indices) < global_batch_; ++next) {
    indices.push_back(kept_order_[static_cast<size_t>(next % num_used_)]);
  }
  return indices;
}

}  // namespace xkde
