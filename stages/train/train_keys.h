#ifndef XKDE_STAGES_TRAIN_TRAIN_KEYS_H_
#define XKDE_STAGES_TRAIN_TRAIN_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/model/families/lora_options.h"
#include "core/optim/lr_schedule.h"
#include "core/optim/optimizer_kind.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// How a global batch becomes loss weights.
enum class LossReduction {
  kTokenMean,   ///< mean over all labelled tokens of the global batch
  kMicroBatch,  ///< mean over micro-batches of each one's token mean (protocol Q30)
};
inline constexpr Named<LossReduction> kLossReductionNames[] = {
    {"token_mean", LossReduction::kTokenMean}, {"micro_batch", LossReduction::kMicroBatch}};

/// What becomes of the last batch of an epoch when the items do not fill it.
enum class LastBatch {
  kShort,
  kWrap,  ///< it is filled from the epoch's beginning
};
inline constexpr Named<LastBatch> kLastBatchNames[] = {{"short", LastBatch::kShort},
                                                       {"wrap", LastBatch::kWrap}};

/// The checkpoint that a stage goes on from.
enum class ResumeFrom { kNewest, kNever };
inline constexpr Named<ResumeFrom> kResumeNames[] = {{"auto", ResumeFrom::kNewest},
                                                     {"never", ResumeFrom::kNever}};

/// The keys that every training stage has. Defaults are those of XE-IT in the paper's own code
/// (protocol 4.1) unless a comment names another source; a stage sets its own before they are read.
struct TrainKeys {
  double num_train_epochs = 5;
  int64_t max_steps = -1;  ///< -1: as many as the epochs take; 0: none
  int64_t per_device_train_batch_size = 1;
  int64_t gradient_accumulation_steps = 1;
  int64_t global_batch_size = 0;  ///< 0: the product of the two and the number of ranks
  double learning_rate = 1e-5;
  LrScheduleKind lr_scheduler_type = LrScheduleKind::kCosine;
  double warmup_steps = 0.05;  ///< below 1 a share of all steps, else their number
  OptimizerKind optim = OptimizerKind::kAdamW;
  double weight_decay = 1e-4;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.95;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;
  /// The default is ours: exact, however a batch is split.
  LossReduction loss_reduction = LossReduction::kTokenMean;
  bool packing = true;                 ///< ours: same losses, less padding
  bool token_tree = true;              ///< ours: same losses, shared prefixes once
  int64_t max_tokens_per_pack = 1024;  ///< ours
  LastBatch last_batch = LastBatch::kShort;
  int64_t save_steps = 0;                                   ///< 0: only at the end
  int64_t save_total_limit = 2;                             ///< ours
  bool async_save = true;                                   ///< ours: written beside the next steps
  ResumeFrom resume_from_checkpoint = ResumeFrom::kNewest;  ///< ours
  int64_t profile_steps = 0;                                ///< ours: steps that are traced
  std::optional<LoraOptions> lora = std::nullopt;  ///< ours: an adapter is trained, in place of all

  /// Items of a step over all ranks.
  int64_t global_batch(int64_t ranks) const {
    if (global_batch_size > 0) return global_batch_size;
    return per_device_train_batch_size * gradient_accumulation_steps * ranks;
  }
  /// Optimizer steps in all.
  int64_t total_steps(int64_t steps_per_epoch) const;

  /// How and when the stage saves, and what is traced of it (Stage::free_keys). What it ends with
  /// does not depend on them, unless it ends with the best of what was saved.
  static std::vector<std::string_view> save_keys();

  /// Reads or writes every key. With a global_batch_size the two that it replaces are not written.
  void each_train_key(StrictMap& map);
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_TRAIN_KEYS_H_
