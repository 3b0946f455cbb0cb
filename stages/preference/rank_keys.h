#ifndef XKDE_STAGES_PREFERENCE_RANK_KEYS_H_
#define XKDE_STAGES_PREFERENCE_RANK_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `rank:` rewards of the answers and preference pairs (protocol 5.2, 5.3).
struct RankStage final : Stage {
  static constexpr std::string_view kName = "rank";
  static constexpr std::string_view kSampled = "sample";

  std::string samples{kSampled};  ///< of the nearest sample stage above, or a samples.jsonl
  std::string reward = "chrf";    ///< or nllb, encoder
  std::filesystem::path model_name_or_path;  ///< of nllb and encoder
  std::string source_language = "auto";      ///< of nllb: the edit's, or a code of the model
  std::string target_language = "auto";      ///< of nllb: the question's, or a code of the model
  std::string gold_test = "strip_both";      ///< or strip_left: which answers are gold anyway (Q10)
  int64_t max_tokens_per_batch = 1024;       ///< ours: of one call of the reward model

  bool uses_own_samples() const { return samples == kSampled; }
  static RankStage parse(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override;
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::optional<StageSource> source() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_RANK_KEYS_H_
