#ifndef XKDE_STAGES_RECIPE_RECIPE_STAGES_H_
#define XKDE_STAGES_RECIPE_RECIPE_STAGES_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/io/json_file.h"
#include "stages/build_data/keys.h"
#include "stages/evaluate/keys.h"
#include "stages/preference/preference_stages.h"
#include "stages/recipe/edit_selection.h"
#include "stages/recipe/strict_map.h"
#include "stages/train/train_keys.h"

namespace xkde::recipe {

/// The values of every dtype key: "float32", "bfloat16".
extern const Names kDtypeNames;

/// One item of `build_data.sources`.
struct BuildDataSource : EditSelection {
  std::vector<std::string> questions{"src", "rephrase", "loc"};  ///< protocol 3.3

  static BuildDataSource parse(StrictMap map, bool has_quadrants);
};

/// `build_data:` parallel edits to an XE-IT training set (protocol 3.3).
struct BuildDataStage {
  std::vector<BuildDataSource> sources;
  /// Without it a sample for every one of `questions`; with it `questions` and `without_edit` say
  /// nothing.
  std::optional<QuadrantKeys> quadrants;
  bool without_edit = false;
  int64_t max_samples = 0;            ///< 0: all
  std::vector<ExcludedData> exclude;  ///< beside what the recipe's evaluate stages ask

  static BuildDataStage parse(StrictMap map);
};

/// `sft:` XE-IT, full-parameter tuning. Defaults are those of the paper's own code (protocol 4.1)
/// unless a comment names another source.
struct SftStage : TrainKeys {
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
  static SftStage parse(StrictMap map);
};

/// `export:` the model as a Hugging Face folder.
struct ExportStage {
  std::filesystem::path path;
  std::string dtype = "bfloat16";  ///< of the weights written, as the paper's models
  std::filesystem::path memory;    ///< ours: an edit memory to go with them; empty: none

  static ExportStage parse(StrictMap map);
};

using Stage = std::variant<BuildDataStage, SftStage, SampleStage, RankStage, OrpoStage,
                           EvaluateStage, ExportStage>;

/// "build_data", "sft" and so on.
std::string stage_name(const Stage& stage);
/// The keys of a stage that trains; null for another.
const TrainKeys* train_keys(const Stage& stage);
/// The names of the stages that this version runs, in the order of Stage.
std::vector<std::string> stage_names();

/// Every key with the value that the stage will run with, in the order of docs/recipes.md. Reading
/// it again gives the same stage.
Json stage_json(const Stage& stage);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RECIPE_STAGES_H_
