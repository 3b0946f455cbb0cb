#ifndef XKDE_STAGES_CAPABILITY_KEYS_H_
#define XKDE_STAGES_CAPABILITY_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <set>
#include <string_view>

#include "core/capability/capability_options.h"
#include "core/io/json_file.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `capability:` what the model can do beside its edits: perplexity of texts, and questions with
/// choices by log-likelihood (protocol 6.9). All of it ours.
struct CapabilityStage final : Stage, CapabilityOptions {
  static constexpr std::string_view kName = "capability";

  int64_t max_tokens_per_batch = 2048;
  bool token_tree = true;  ///< computes a context once for all its choices

  void each_key(StrictMap map);
  static CapabilityStage with_sections();

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_CAPABILITY_KEYS_H_
