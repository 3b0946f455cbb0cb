#ifndef XKDE_STAGES_TRAIN_TRAINER_H_
#define XKDE_STAGES_TRAIN_TRAINER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "core/loss/label_loss.h"
#include "core/model/token_tree.h"
#include "distributed/comm/communicator.h"
#include "distributed/sharding/trainable_model.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// A forward and backward pass of one rank.
struct TrainPack {
  PackedBatch batch;
  LossOfLogProbs loss;  ///< empty: cross-entropy with the batch's weights
  int64_t labels = 0;   ///< whose logits the loss needs
};

/// One step's work.
struct TrainStep {
  std::vector<TrainPack> packs;  ///< of this rank
  int64_t samples = 0;           ///< of all ranks
  int64_t tokens = 0;            ///< of the samples laid out one by one, all ranks
};

/// What a stage trains on, as the loop over steps asks for it. All ranks hold the same task.
class TrainTask {
 public:
  virtual ~TrainTask() = default;
  virtual std::string name() const = 0;  ///< of the stage
  virtual int64_t steps_per_epoch() const = 0;
  /// `step` in [0, steps_per_epoch()). May be asked for before the step before has been trained.
  virtual TrainStep step(int64_t epoch, int64_t step) = 0;

  /// What the packs' losses have summed up since the last call, fp64 [at most
  /// StepTally::kMaxSums] on the device; may be undefined. Reports are written from the sums over
  /// ranks.
  virtual at::Tensor take_sums() { return {}; }
  virtual void describe(std::span<const double> /*sums*/, Json& /*report*/) const {}

  /// The dev set as packs of this rank; with none on any rank there is no evaluation.
  virtual std::vector<TrainPack> dev_packs() { return {}; }
};

/// When the dev set is evaluated, and what follows from it.
struct DevOptions {
  int64_t eval_steps = 0;  ///< 0: never
  int64_t patience = 0;    ///< evaluations without a better one before the end; 0: any number
  bool load_best = false;  ///< the run ends with the checkpoint of the lowest dev loss
};

/// What a training run needs from around it. The references outlive the run.
struct TrainHost {
  dist::Communicator& comm;
  dist::TrainableModel& model;
  std::filesystem::path folder;  ///< takes metrics.jsonl and checkpoints/
  bool keeps_best = false;       ///< the checkpoint of the lowest score stays, too
  int64_t logging_steps = 10;    ///< steps between two lines on standard error
  bool writes_events = false;    ///< an event file for TensorBoard beside metrics.jsonl
  /// Steps in which all that copies of the model hold is compared once, beside each save; 0: never.
  int64_t compare_copies = 0;
  Json facts = Json::object();  ///< for state.json: the run's seed and recipe
  std::function<bool()> stop_requested = [] { return false; };  ///< whether this rank was asked to
  /// Whether this rank was asked to save, and go on, since the last call.
  std::function<bool()> save_requested = [] { return false; };
  // For the figures of a step.
  double block_parameters = 0.0;  ///< of the linear layers of all blocks
  double head_parameters = 0.0;   ///< of the matrix that makes logits
  /// Floating-point operations of a step for each parameter and token: three products, of forward
  /// and backward, or two where the parameters are frozen.
  double operations = 6.0;
  double matmul_rate = 1.0;    ///< floating-point operations a second of all ranks together
  int64_t baseline_bytes = 0;  ///< in use before the model was built, at the rank with most
};

/// Trains host.model from where the folder's checkpoints are: one line of metrics.jsonl a step,
/// "eval_" keys where the dev set was evaluated, checkpoints as the keys say and at the end.
/// Returns the checkpoint to end with when dev.load_best asks for one. Throws StopRequested after a
/// checkpoint when a rank was asked to stop, also between two batches of the dev set, whose
/// evaluation the next start makes again, and NumericError, before the step changed any weight,
/// when the loss or the norm of the gradients is not finite, or when a save finds a weight or a
/// moment that is not; the older checkpoints stay. Throws CopiesError when the state of two copies
/// differs. On all ranks. Collective.
std::optional<std::filesystem::path> train(TrainTask& task, const TrainKeys& keys,
                                           const DevOptions& dev, const TrainHost& host);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_TRAINER_H_
