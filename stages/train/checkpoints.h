#ifndef XKDE_STAGES_TRAIN_CHECKPOINTS_H_
#define XKDE_STAGES_TRAIN_CHECKPOINTS_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/io/json_file.h"
#include "core/optim/optimizer.h"
#include "distributed/checkpoint/async_checkpointer.h"
#include "distributed/sharding/trainable_model.h"

namespace xkde::recipe {

struct TrainCheckpointOptions {
  std::string stage = {};           ///< its name, for messages
  std::filesystem::path root = {};  ///< the folder that the checkpoints lie in
  /// The file that a line is written to for each step; durable up to a checkpoint's step before the
  /// checkpoint is. Empty: none.
  std::filesystem::path metrics = {};
  bool resumes = true;        ///< resume() looks for a checkpoint to go on from
  bool beside_steps = false;  ///< writes while the next steps run, from a second copy of the state
  bool keeps_best = false;    ///< the checkpoint of the lowest score stays, too
  bool compares_copies = false;  ///< nothing is saved unless all copies of the state are equal
  int64_t keep_last = 0;         ///< newest checkpoints that stay; 0: all
  Json facts = Json::object();   ///< of the run, for state.json: its seed and its recipe
};

/// Where a run is, as state.json keeps it.
struct TrainPoint {
  int64_t step = 0;      ///< steps done
  int64_t epoch = 0;     ///< epochs done
  int64_t position = 0;  ///< steps done of the epoch
  /// All losses of the dev set so far; nothing: the run has no dev set, or its checkpoint was
  /// written before checkpoints kept them.
  std::optional<std::vector<double>> dev_losses = std::nullopt;
  /// The line of the last step, where the run stopped within the evaluation of the dev set that
  /// belongs to it; else null. metrics.jsonl does not have it yet.
  Json unevaluated = nullptr;
};

/// Whether a save counts where checkpoints are compared. One that was asked for must not: the best
/// checkpoint, and with it the run's result, would depend on the moment.
enum class SaveScore { kOfSteps, kNone };

/// The checkpoints of one training stage: the model's masters, the optimizer's state and how far
/// the run is. Collective, unless a function says otherwise.
class TrainCheckpoints {
 public:
  /// Nothing is read or written yet; all references outlive the object.
  TrainCheckpoints(TrainCheckpointOptions options, dist::TrainableModel& model,
                   Optimizer& optimizer, dist::Communicator& comm);

  /// Fills model and optimizer from the newest checkpoint that verifies and holds finite values, if
  /// there is one and the options allow it. Returns where it was written; step 0 without one.
  /// Throws CheckpointError, and NumericError where all that verify hold values that are not
  /// finite.
  TrainPoint resume();
  /// Counts a step's loss, equal on all ranks, into the mean since the last save: its score, where
  /// set_score() gives no other. Not collective.
  void add_loss(double loss);
  /// Of the present state, lower is better; equal on all ranks. Not collective.
  void set_score(double score);
  /// Saves the present state: durable on return, or, beside the steps, soon after. Without a score
  /// the losses counted so far stay counted for the next save. Throws IoError and, where a value is
  /// not finite, NumericError, where copies differ, CopiesError, of the save before too; the older
  /// checkpoints stay.
  void save(const TrainPoint& point, SaveScore score = SaveScore::kOfSteps);
  /// The checkpoint of the lowest score. Throws CheckpointError when there is none.
  std::filesystem::path best() const;

  /// The state may be written to while this lives; at its end the model's gathered weights are out
  /// of date.
  class [[nodiscard]] Update {
   public:
    explicit Update(dist::TrainableModel& model) : model_(model) {}
    ~Update() { model_.masters_changed(); }  // no gather is under way between two steps
    Update(const Update&) = delete;
    Update& operator=(const Update&) = delete;

   private:
    dist::TrainableModel& model_;
  };
  /// Waits until no save beside the steps reads the state any more. Not collective. Throws IoError.
  Update begin_update();

  /// Whether this rank writes beside the steps. Not collective.
  bool is_writing() const;
  /// To be called at each step's end; `anyone_writing`: is_writing() on any rank. Never waits for a
  /// disk. Throws as save().
  void poll(bool anyone_writing);
  /// Waits until the last save is durable. Throws as save().
  void finish();

 private:
  std::vector<std::pair<std::string, at::Tensor>> state() const;
  TrainPoint load(const std::filesystem::path& folder);
  dist::CheckpointInfo info(const TrainPoint& point, SaveScore score);

  TrainCheckpointOptions options_;
  dist::TrainableModel& model_;
  Optimizer& optimizer_;
  dist::Communicator& comm_;
  double loss_sum_ = 0.0;
  int64_t losses_ = 0;
  std::optional<double> score_;
  std::unique_ptr<dist::AsyncCheckpointer> async_;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_CHECKPOINTS_H_
