#ifndef XKDE_STAGES_BUILD_DATA_KEYS_H_
#define XKDE_STAGES_BUILD_DATA_KEYS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/edit/prompt.h"
#include "core/io/json_file.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/stage.h"
#include "stages/recipe/strict_map.h"

namespace xkde::recipe {

/// `build_data.quadrants`: samples of protocol 3.3 as build_quadrants makes them, which also has
/// the defaults and what each means.
struct QuadrantKeys {
  std::vector<double> distractors{0.5, 0.25, 0.25};
  double in_scope_share = 0.5;
  double with_edit_share = 0.5;
  double monolingual_share = 0.5;
  double src_share = 0.3;
  double portability_share = 0.0;
  int64_t samples_per_pair = 0;  ///< 0: all

  void each_key(StrictMap map);
};

/// One item of `build_data.exclude`: a benchmark whose questions are not trained on.
struct ExcludedData {
  std::string benchmark;       ///< of the table in core/data/benchmarks
  std::filesystem::path data;  ///< a file, or the benchmark's folder: every file of it

  void each_key(StrictMap map);
  /// The files that are read; finds them by name. Throws MissingInputError.
  std::set<std::filesystem::path> files() const;
};

/// One item of `build_data.sources`.
struct BuildDataSource : EditSelection {
  std::vector<std::string> questions{"src", "rephrase", "loc"};  ///< protocol 3.3

  void each_key(StrictMap map, bool has_quadrants);
};

/// `build_data:` parallel edits to an XE-IT training set (protocol 3.3).
struct BuildDataStage final : Stage {
  static constexpr std::string_view kName = "build_data";

  std::vector<BuildDataSource> sources;
  /// Without it a sample for every one of `questions`; with it `questions` and `without_edit` say
  /// nothing.
  std::optional<QuadrantKeys> quadrants;
  bool without_edit = false;
  int64_t max_samples = 0;  ///< 0: all
  PromptLanguage prompt_language = PromptLanguage::kTest;
  std::vector<ExcludedData> exclude;  ///< beside what the recipe's evaluate stages ask

  void each_key(StrictMap map);
  static BuildDataStage with_sections();

  std::string_view name() const override { return kName; }
  Json keys() const override { return written(*this); }
  void check_inputs(InputChecker& inputs) const override;
  std::set<std::filesystem::path> files() const override;
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_BUILD_DATA_KEYS_H_
