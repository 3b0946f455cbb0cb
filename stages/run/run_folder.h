#ifndef XKDE_STAGES_RUN_RUN_FOLDER_H_
#define XKDE_STAGES_RUN_RUN_FOLDER_H_

#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "stages/recipe/recipe.h"
#include "stages/recipe/run_record.h"
#include "stages/run/run_lock.h"

namespace xkde::recipe {

/// In the run's folder: digests of the inputs from one start to the next, and the verdicts of
/// judges where a recipe names no other place.
inline constexpr const char* kDigestsFile = ".digests.json";
inline constexpr const char* kVerdictsFolder = "judge_verdicts";
inline constexpr const char* kLogsFolder = "logs";  ///< of ranks (Recipe::rank_logs)

/// What run.json says beside the recipe.
struct RunFacts {
  std::vector<std::string> argv;
  std::vector<std::string> hosts;  ///< by rank
  std::string backend;             ///< "mpi" | "nccl"
  Json versions;                   ///< of this program and its libraries
};

/// The folder of one run (docs/architecture.md): run.json and a folder for each stage. Used on rank
/// 0 only.
class RunFolder {
 public:
  /// Creates the folder and takes its lock, so that no second run writes there. Where run.json says
  /// that a run goes on, it says from now on that it was interrupted. Throws IoError or, when
  /// another run holds the lock, ConfigError. DataError where run.json is none.
  explicit RunFolder(std::filesystem::path path);

  /// What run.json said when the folder was opened; nothing where there was none.
  const std::optional<RunRecord>& before() const noexcept { return before_; }

  /// Writes run.json with exit_reason "running" and the names of the stages' folders. The time of
  /// the first start is that of the run.json that is there.
  void write_start(const Recipe& recipe, const RunFacts& facts,
                   const std::vector<std::string>& stages = {});
  /// Adds the SHA-256 of each input file to run.json.
  void add_inputs(const std::map<std::filesystem::path, std::string>& digests);
  /// Does nothing before write_start(): then run.json is that of the start before.
  void write_end(const std::string& exit_reason);

 private:
  void write(const Json& run) const;
  std::filesystem::path path_;
  RunLock lock_;
  std::optional<RunRecord> before_;
  Json run_;  ///< null before write_start()
};

/// "2026-11-23T05:10:00Z"
std::string utc_text(std::time_t time);
std::string utc_now();

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_FOLDER_H_
