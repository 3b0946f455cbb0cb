#ifndef XKDE_STAGES_PREFERENCE_SAMPLE_KEYS_H_
#define XKDE_STAGES_PREFERENCE_SAMPLE_KEYS_H_

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

namespace xkde::recipe {

/// How a prompt is written.
enum class PromptFormat {
  kModel,  ///< by the model's chat template
  kXk,     ///< as the paper's code writes it (Q8)
};
inline constexpr Named<PromptFormat> kPromptFormats[] = {{"model", PromptFormat::kModel},
                                                         {"xk", PromptFormat::kXk}};

/// `sample:` answers of the model to its training prompts (protocol 5.1).
struct SampleStage final : Stage {
  static constexpr std::string_view kName = "sample";
  static constexpr std::string_view kBuiltData = "build_data";

  /// kBuiltData (of the nearest build_data stage above) or a file of protocol 1.5: the prompts are
  /// its conversations without their last answers, which are the gold ones.
  std::string train_data{kBuiltData};
  std::string records;  ///< a slice of the conversations; "" is all
  int64_t num_return_sequences = 5;
  double temperature = 0.8;  ///< 0: greedy
  int64_t top_k = 0;         ///< 0: off
  double top_p = 1.0;
  int64_t max_new_tokens = 64;    ///< ours; the paper's code has 2048
  std::vector<std::string> stop;  ///< texts that end an answer
  PromptFormat prompt_format = PromptFormat::kModel;
  int64_t max_sequences = 128;          ///< ours: answers decoded side by side
  int64_t max_tokens_per_batch = 2048;  ///< ours: rows of one prefill
  int64_t prompts_per_chunk = 32;       ///< ours: what a rank takes at a time

  bool uses_built_data() const { return train_data == kBuiltData; }
  void each_key(StrictMap map);

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
  std::optional<StageSource> source() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_PREFERENCE_SAMPLE_KEYS_H_
