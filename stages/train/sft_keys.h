#ifndef XKDE_STAGES_TRAIN_SFT_KEYS_H_
#define XKDE_STAGES_TRAIN_SFT_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// `sft:` XE-IT, of all weights or of an adapter. Defaults are those of the paper's own code
/// (protocol 4.1) unless a comment names another source.
struct SftStage final : Stage, TrainKeys {
  static constexpr std::string_view kName = "sft";
  static constexpr std::string_view kBuiltData = "build_data";

  /// kBuiltData (of the nearest build_data stage above) or a file of protocol 1.5.
  std::string train_data{kBuiltData};
  bool labelled_head = true;  ///< ours: same losses, logits only where a label is
  /// How a conversation becomes ids and targets: ours, or xeit_v2 (encode_as_xeit_v2).
  std::string sample_format = "ours";
  bool train_on_end_of_turn = true;  ///< of sample_format ours
  int64_t max_length = 32768;
  std::string truncation = "end";  ///< or proportional (truncate_in_proportion)
  bool keep_best = false;          ///< ours: that of the lowest training loss, too

  bool uses_built_data() const { return train_data == kBuiltData; }
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

#endif  // XKDE_STAGES_TRAIN_SFT_KEYS_H_
