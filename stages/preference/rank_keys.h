#ifndef XKDE_STAGES_PREFERENCE_RANK_KEYS_H_
#define XKDE_STAGES_PREFERENCE_RANK_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/named.h"
#include "core/model/encoders/encoder_files.h"
#include "core/reward/nllb_reward.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// What answers are ranked by.
enum class RewardKind { kNllb, kChrf, kEncoder };

struct RankStage;
void check_encoder_reward_of(const RankStage& stage);
void check_nllb_reward_of(const RankStage& stage);

/// One kind of reward as recipes know it. What computes it stands in core/reward.
struct RewardEntry {
  std::string_view name;
  RewardKind value;
  /// Every file of the model at this path. Throws MissingInputError. Null where it needs no model.
  std::vector<std::filesystem::path> (*files)(const std::filesystem::path& model);
  /// Opens that model, its weights left out. Throws DataError. Null where it needs none.
  void (*check)(const RankStage& stage);
  bool asks_languages;  ///< of the edit and of the question
};
/// Every reward, in the order in which messages list them.
inline constexpr RewardEntry kRewards[] = {
    {"nllb", RewardKind::kNllb, nllb_files, check_nllb_reward_of, true},
    {"chrf", RewardKind::kChrf, nullptr, nullptr, false},
    {"encoder", RewardKind::kEncoder, sentence_encoder_files, check_encoder_reward_of, false}};

/// When an answer is the gold one anyway (Q10): the gold answer equals it without blanks ...
enum class GoldTest {
  kStripBoth,  ///< at both ends of both
  kStripLeft,  ///< in front of the answer
};
inline constexpr Named<GoldTest> kGoldTests[] = {{"strip_both", GoldTest::kStripBoth},
                                                 {"strip_left", GoldTest::kStripLeft}};

/// `rank:` rewards of the answers and preference pairs (protocol 5.2, 5.3).
struct RankStage final : Stage {
  static constexpr std::string_view kName = "rank";
  static constexpr std::string_view kSampled = "sample";

  std::string samples{kSampled};  ///< of the nearest sample stage above, or a samples.jsonl
  RewardKind reward = RewardKind::kChrf;
  std::filesystem::path model_name_or_path;  ///< of rewards that have a model
  std::string source_language = "auto";      ///< where asked: the edit's, or a code of the model
  std::string target_language = "auto";  ///< where asked: the question's, or a code of the model
  std::optional<std::string> prefix;     ///< before every text of an encoder; none: its own prompt
  GoldTest gold_test = GoldTest::kStripBoth;
  int64_t max_tokens_per_batch = 1024;  ///< ours: of one call of the reward model

  const RewardEntry& reward_entry() const { return entry_of(kRewards, reward); }
  NllbRewardOptions nllb_options() const;
  bool uses_own_samples() const { return samples == kSampled; }
  void each_key(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::optional<StageSource> source() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_RANK_KEYS_H_
