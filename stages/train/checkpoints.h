#ifndef XKDE_STAGES_TRAIN_CHECKPOINTS_H_
#define XKDE_STAGES_TRAIN_CHECKPOINTS_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "core/optim/adamw.h"
#include "distributed/checkpoint/async_checkpointer.h"
#include "stages/run/run_context.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// The checkpoints of one training stage: the model's masters, the optimizer's moments and how far
/// the run is. Collective, unless a function says otherwise.
class TrainCheckpoints {
 public:
  /// They lie in `root`. Nothing is read or written yet; all arguments outlive the object.
  /// `stage`: its name, for messages. `keep_best`: the checkpoint of the lowest score stays, too.
  TrainCheckpoints(const TrainKeys& keys, std::string stage, bool keep_best,
                   std::filesystem::path root, RunContext& context, AdamW& optimizer);

  /// Fills model and optimizer from the newest checkpoint that verifies, if there is one and the
  /// stage may go on from it. Returns its step, else 0. Throws CheckpointError.
  int64_t resume();
  /// Counts a step's loss, equal on all ranks, into the mean since the last save: its score, where
  /// set_score() gives no other. Not collective.
  void add_loss(double loss);
  /// Of the present state, lower is better; equal on all ranks. Not collective.
  void set_score(double score);
  /// Saves the present state: durable on return, or, with async_save and steps between saves, soon
  /// after. Throws IoError, of the save before too.
  void save(int64_t step, int64_t epoch, int64_t position);
  /// Fills the model, not the optimizer, from the checkpoint of the lowest score. Throws
  /// CheckpointError.
  void load_best();
  /// To be called before the state changes: a save beside the steps may still be reading it.
  void wait_for_copy();
  /// Whether this rank writes beside the steps. Not collective.
  bool is_writing() const;
  /// To be called at each step's end; `anyone_writing`: is_writing() on any rank. Never waits for a
  /// disk. Throws IoError.
  void poll(bool anyone_writing);
  /// Waits until the last save is durable. Throws IoError.
  void finish();

 private:
  dist::CheckpointInfo info(int64_t step, int64_t epoch, int64_t position);

  const TrainKeys& keys_;
  std::string stage_;
  bool keep_best_;
  std::filesystem::path root_;
  RunContext& context_;
  AdamW& optimizer_;
  double loss_sum_ = 0.0;
  int64_t losses_ = 0;
  std::optional<double> score_;
  std::unique_ptr<dist::AsyncCheckpointer> async_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_CHECKPOINTS_H_
