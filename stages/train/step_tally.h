#ifndef XKDE_STAGES_TRAIN_STEP_TALLY_H_
#define XKDE_STAGES_TRAIN_STEP_TALLY_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <ATen/core/Tensor.h>

namespace xkde::recipe {

/// What one rank tells the others at each step's end, all at once: plain memory, which
/// dist::gather() carries.
struct StepTally {
  static constexpr size_t kMaxSums = 16;

  double loss = 0.0;            ///< this rank's part of the loss
  double grad_norm = 0.0;       ///< of all gradients, as this rank has it
  int64_t computed_tokens = 0;  ///< rows that were computed
  int64_t labels = 0;           ///< whose logits the loss needs
  int64_t peak_bytes = 0;       ///< xkde::peak_bytes() of the rank's device
  int64_t next_packs = 0;       ///< packs that the rank has in the next step
  uint64_t state_bits = 0;      ///< dist::CopyCheck::end() of this step
  bool is_writing = false;      ///< a checkpoint is being written beside the steps
  bool stop_requested = false;  ///< the rank was asked to stop
  bool save_requested = false;  ///< the rank was asked to save and go on
  size_t num_sums = 0;
  std::array<double, kMaxSums> sums{};  ///< of the task: TrainTask::take_sums()

  /// `values`: fp64 [at most kMaxSums] on any device, or undefined for none. Waits for the device.
  void set_sums(const at::Tensor& values);
  std::span<const double> task_sums() const { return {sums.data(), num_sums}; }
};

/// The ranks' tallies as one: losses, counts and sums are added in rank order, so that the result
/// is equal bit for bit on all ranks; the norm is that of the first rank or, where one is not
/// finite, of the last such rank; bytes and packs are those of the rank that has most; a flag holds
/// if it holds on any rank.
StepTally joined(std::span<const StepTally> ranks);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_STEP_TALLY_H_
