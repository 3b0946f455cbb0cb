#ifndef XKDE_STAGES_TRAIN_ORPO_KEYS_H_
#define XKDE_STAGES_TRAIN_ORPO_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// Which part of a prompt stays.
enum class TruncationMode { kKeepEnd, kKeepStart };
inline constexpr Named<TruncationMode> kTruncationModes[] = {
    {"keep_end", TruncationMode::kKeepEnd}, {"keep_start", TruncationMode::kKeepStart}};

/// `orpo:` preference tuning (protocol 5.4, 5.5). Defaults are the effective values of the paper's
/// code (protocol 4.4) unless a comment says otherwise; names are those of TRL's ORPOConfig.
struct OrpoStage final : Stage, TrainKeys {
  static constexpr std::string_view kName = "orpo";
  static constexpr std::string_view kRanked = "rank";

  std::string pairs{kRanked};  ///< of the nearest rank stage above, or a pairs.jsonl
  double beta = 0.1;
  int64_t max_length = 512;
  int64_t max_prompt_length = 128;
  TruncationMode truncation_mode = TruncationMode::kKeepEnd;  ///< of a prompt that is too long
  bool orpo_clamp = false;  ///< ours: keeps log-probabilities below -1e-6, so that none becomes 0
  bool group_by_prompt = true;  ///< ours: a prompt's pairs follow each other in the epoch's order
  int64_t eval_steps = 100;     ///< steps between two evaluations on the dev pairs; 0: none
  int64_t max_dev_pairs = 20000;
  bool load_best_model_at_end = true;   ///< the one with the lowest dev loss
  int64_t early_stopping_patience = 0;  ///< evaluations without a better one; 0: never stop early

  OrpoStage();
  bool uses_ranked_pairs() const { return pairs == kRanked; }
  void each_key(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  std::vector<std::string_view> free_keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::optional<StageSource> source() const override;
  bool changes_model() const override { return true; }
  const LoraOptions* adapter() const override { return lora ? &*lora : nullptr; }
  OptimizerKind optimizer() const override { return optim; }
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_TRAIN_ORPO_KEYS_H_
