#ifndef XKDE_TESTS_STAGES_TRAIN_FAKE_TRAINING_H_
#define XKDE_TESTS_STAGES_TRAIN_FAKE_TRAINING_H_

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "stages/train/trainer.h"

namespace xkde::recipe {

/// Sixteen weights that are pulled to zero: loss and gradient are half their squares' sum and the
/// weights themselves, of a rank that has a pack. It counts the calls of a training loop.
class FakeModel final : public dist::TrainableModel {
 public:
  FakeModel() : layout_(dist::make_layout({unit()}, 1)), master_(at::ones({layout_.state_numel})) {
    gradient_ = at::zeros_like(master_);
  }
  const dist::ShardLayout& layout() const noexcept override { return layout_; }
  at::Tensor& master() noexcept override { return master_; }
  at::Tensor& gradient() noexcept override { return gradient_; }
  std::vector<DecayRange> decay_ranges() const override {
    return {{0, layout_.state_numel, false}};
  }
  void masters_changed() override { ++changes; }
  void begin_step() override {
    gradient_.zero_();
    ++steps;
  }
  at::Tensor forward_backward(const PackedBatch* batch, bool last,
                              const LossOfLogProbs& /*loss*/) override {
    passes += 1;
    last_passes += last ? 1 : 0;
    if (batch == nullptr) return at::zeros({}, at::kDouble);
    if (steps == bad_weight_step) master_[5] = std::numeric_limits<float>::infinity();
    gradient_.add_(master_);
    if (steps == bad_gradient_step) gradient_[3] = std::numeric_limits<float>::quiet_NaN();
    const double loss = 0.5 * master_.square().sum().item<double>();
    return at::full({}, steps == bad_step ? std::numeric_limits<double>::quiet_NaN() : loss,
                    at::kDouble);
  }
  at::Tensor finish_gradients() override { return gradient_.to(at::kDouble).norm(); }
  at::Tensor log_probs(const PackedBatch* /*batch*/) override { return master_; }

  // Steps, from 1, in which something is not finite on this rank; those before are good.
  int64_t bad_step = -1;  ///< the loss
  int64_t bad_gradient_step = -1, bad_weight_step = -1;
  int64_t steps = 0, passes = 0, last_passes = 0, changes = 0;

 private:
  static dist::UnitLayout unit() {
    return {.name = "all", .slots = {{.name = "weight", .shape = {16}}}};
  }
  dist::ShardLayout layout_;
  at::Tensor master_, gradient_;
};

/// Two steps an epoch, `packs` packs of three tokens each on every rank; its dev losses are those
/// of a list.
class FakeTask final : public TrainTask {
 public:
  std::string name() const override { return "fake"; }
  int64_t steps_per_epoch() const override { return 2; }
  TrainStep step(int64_t epoch, int64_t step) override {
    asked.push_back(2 * epoch + step);
    TrainStep work{.packs = {}, .samples = 4, .tokens = 12};
    for (int64_t i = 0; i < packs; ++i) work.packs.push_back(pack());
    return work;
  }
  at::Tensor take_sums() override { return at::tensor({1.0, 0.25}, at::kDouble); }
  void describe(std::span<const double> sums, Json& report) const override {
    report["sums"] = std::vector<double>(sums.begin(), sums.end());
  }
  std::vector<TrainPack> dev_packs() override {
    if (dev_losses.empty()) return {};
    TrainPack dev = pack();
    dev.loss = [this](const at::Tensor&) {
      const double loss = dev_losses.at(next_dev++);
      return LabelLoss{at::full({}, loss, at::kDouble), {}};
    };
    return std::vector<TrainPack>(dev_packs_made, dev);
  }

  int64_t packs = 1;
  std::vector<double> dev_losses;
  size_t next_dev = 0;
  size_t dev_packs_made = 1;   ///< each with the next of dev_losses
  std::vector<int64_t> asked;  ///< the steps that were asked for, from 0

 private:
  static TrainPack pack() {
    TrainPack made;
    made.batch.input_ids = at::zeros({3}, at::kLong);
    made.labels = 2;
    return made;
  }
};

/// A folder of its own for each test, removed at its end.
class TrainingTest : public testing::Test {
 protected:
  TrainingTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "training_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~TrainingTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  /// Names of the complete checkpoints, sorted.
  std::vector<std::string> checkpoints() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "checkpoints")) {
      if (entry.is_directory()) names.insert(entry.path().filename().string());
    }
    return {names.begin(), names.end()};
  }
  static TrainKeys keys_of(int64_t steps, int64_t save_steps = 0) {
    TrainKeys keys;
    keys.max_steps = steps;
    keys.save_steps = save_steps;
    keys.save_total_limit = 100;
    keys.learning_rate = 0.1;
    keys.warmup_steps = 0.0;
    keys.lr_scheduler_type = LrScheduleKind::kConstant;
    return keys;
  }

  std::filesystem::path folder_;
};

}  // namespace xkde::recipe

#endif  // XKDE_TESTS_STAGES_TRAIN_FAKE_TRAINING_H_
