#ifndef XKDE_STAGES_RECIPE_RUN_RECORD_H_
#define XKDE_STAGES_RECIPE_RUN_RECORD_H_

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/json_file.h"

namespace xkde::recipe {

// The names of what a run leaves stand here, as stages write what reports and `watch` read; those
// that one stage alone knows stand with it.
inline constexpr const char* kRunFile = "run.json";        ///< in a run's folder
inline constexpr const char* kReportFile = "report.html";  ///< there, too, as are the next two
inline constexpr const char* kResultsTableFile = "results.csv";
inline constexpr const char* kReportFolder = "report";
/// Figures of a stage's steps or chunks, in its folder, as are the next four.
inline constexpr const char* kMetricsFile = "metrics.jsonl";
inline constexpr const char* kResultsFile = "results.json";  ///< rows of core/evaluate/results
inline constexpr const char* kPredictionsFile = "predictions.jsonl";
inline constexpr const char* kCostFile = "cost.json";  ///< what an evaluation took
/// What was asked and left out, how far scorers agree, and what else a stage counted.
inline constexpr const char* kStatisticsFile = "statistics.json";
inline constexpr const char* kRunning = "running";  ///< the exit reason until a run ends
/// That of a run whose process is gone though it says kRunning.
inline constexpr const char* kInterrupted = "interrupted";

/// "02-sft" for the second stage.
std::string stage_folder_name(size_t index, std::string_view stage);
/// Whether a folder may have this name because it is a stage's.
bool is_stage_folder_name(std::string_view name);

/// What run.json says of a run.
struct RunRecord {
  Json json;  ///< all of it, an object
  std::string run_name;
  std::string exit_reason;
  /// The folders of the stages, in the order of the recipe. An earlier version wrote no such list:
  /// its folders had the numbers of the stages in the recipe.
  std::vector<std::string> stages;
};

/// Reads run.json in `folder`; nothing where there is none. Throws IoError where it cannot be read,
/// DataError naming file and key where it is not what a run wrote.
std::optional<RunRecord> read_run_record(const std::filesystem::path& folder);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_RUN_RECORD_H_
