#ifndef XKDE_STAGES_PREFERENCE_PREFERENCE_STAGES_H_
#define XKDE_STAGES_PREFERENCE_PREFERENCE_STAGES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/strict_map.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// `sample:` answers of the model to its training prompts (protocol 5.1).
struct SampleStage {
  static constexpr std::string_view kBuiltData = "build_data";

  /// kBuiltData (of the nearest build_data stage above) or a file of protocol 1.5: the prompts are
  /// its conversations without their last answers, which are the gold ones.
  std::string train_data{kBuiltData};
  std::string records;  ///< a slice of the conversations; "" is all
  int64_t num_return_sequences = 5;
  double temperature = 0.8;  ///< 0: greedy
  int64_t top_k = 0;         ///< 0: off
  double top_p = 1.0;
  int64_t max_new_tokens = 64;          ///< ours; the paper's code has 2048
  std::vector<std::string> stop;        ///< texts that end an answer
  std::string prompt_format = "model";  ///< or xk: what the paper's code writes (Q8)
  int64_t max_sequences = 128;          ///< ours: answers decoded side by side
  int64_t max_tokens_per_batch = 2048;  ///< ours: rows of one prefill
  int64_t prompts_per_chunk = 32;       ///< ours: what a rank takes at a time

  bool uses_built_data() const { return train_data == kBuiltData; }
  static SampleStage parse(StrictMap map);
};
Json to_json(const SampleStage& stage);

/// `rank:` rewards of the answers and preference pairs (protocol 5.2, 5.3).
struct RankStage {
  static constexpr std::string_view kSampled = "sample";

  std::string samples{kSampled};  ///< of the nearest sample stage above, or a samples.jsonl
  std::string reward = "chrf";    ///< or nllb, encoder
  std::filesystem::path model_name_or_path;  ///< of nllb and encoder
  std::string source_language = "auto";      ///< of nllb: the edit's, or a code of the model
  std::string target_language = "auto";      ///< of nllb: the question's, or a code of the model
  std::string gold_test = "strip_both";      ///< or strip_left: which answers are gold anyway (Q10)
  int64_t max_tokens_per_batch = 1024;       ///< ours: of one call of the reward model

  static RankStage parse(StrictMap map);
};
Json to_json(const RankStage& stage);

/// `orpo:` preference tuning (protocol 5.4, 5.5). Defaults are the effective values of the paper's
/// code (protocol 4.4) unless a comment says otherwise; names are those of TRL's ORPOConfig.
struct OrpoStage : TrainKeys {
  static constexpr std::string_view kRanked = "rank";

  std::string pairs{kRanked};  ///< of the nearest rank stage above, or a pairs.jsonl
  double beta = 0.1;
  int64_t max_length = 512;
  int64_t max_prompt_length = 128;
  std::string truncation_mode = "keep_end";  ///< of the prompt; or keep_start
  bool orpo_clamp = false;  ///< ours: keeps log-probabilities below -1e-6, so that none becomes 0
  bool group_by_prompt = true;  ///< ours: a prompt's pairs follow each other in the epoch's order
  int64_t eval_steps = 100;     ///< steps between two evaluations on the dev pairs; 0: none
  int64_t max_dev_pairs = 20000;
  bool load_best_model_at_end = true;   ///< the one with the lowest dev loss
  int64_t early_stopping_patience = 0;  ///< evaluations without a better one; 0: never stop early

  OrpoStage();
  static OrpoStage parse(StrictMap map);
};
Json to_json(const OrpoStage& stage);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_PREFERENCE_STAGES_H_
