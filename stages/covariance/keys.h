#ifndef XKDE_STAGES_COVARIANCE_KEYS_H_
#define XKDE_STAGES_COVARIANCE_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <set>
#include <string_view>
#include <vector>

#include "core/capability/capability_options.h"
#include "core/editing/moments/observed_module.h"
#include "core/io/json_file.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// A file of second moments that others published (core/editing/moments/published_moment.h).
struct ImportedMoment {
  std::filesystem::path data;
  int64_t layer = 0;
  TensorRole module = TensorRole::kDown;
};

/// `covariance:` second moments of what modules are multiplied with, over texts or as others
/// publish them, for editors that solve with them (docs/decisions/0009-editors.md). All of it ours.
struct CovarianceStage final : Stage {
  static constexpr std::string_view kName = "covariance";

  std::vector<TextSource> texts;        ///< empty where there are imports
  std::vector<ImportedMoment> imports;  ///< in place of texts
  std::vector<int64_t> layers;
  std::vector<TensorRole> modules{TensorRole::kDown};
  bool per_language = false;     ///< those of each language beside those of all texts
  int64_t max_tokens = 100'000;  ///< of all texts; 0: all that they have
  int64_t context_length = 0;    ///< tokens of a window; 0: 512, or the model's context if shorter
  int64_t max_tokens_per_batch = 2048;

  void each_key(StrictMap map);
  static CovarianceStage with_sections();

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_COVARIANCE_KEYS_H_
