#ifndef XKDE_STAGES_RUN_RUN_FOLDER_H_
#define XKDE_STAGES_RUN_RUN_FOLDER_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/io/file.h"
#include "core/io/json_file.h"
#include "stages/recipe/recipe.h"

namespace xkde::recipe {

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
  /// Creates the folder and takes its lock, so that no second run writes there. Throws IoError or,
  /// when another run holds the lock, ConfigError.
  explicit RunFolder(std::filesystem::path path);

  /// Writes run.json with exit_reason "running".
  void write_start(const Recipe& recipe, const RunFacts& facts);
  /// Adds the SHA-256 of each input file to run.json.
  void add_inputs(const std::map<std::filesystem::path, std::string>& digests);
  void write_end(const std::string& exit_reason);

 private:
  void write();
  std::filesystem::path path_;
  FileHandle lock_;
  Json run_;
};

/// "02-sft" for the second stage.
std::string stage_folder_name(size_t index, std::string_view name);

enum class StageState { kFresh, kStarted, kDone };
/// Compares the stage's fingerprint with the one in the folder: kDone (complete, unchanged),
/// kStarted (unchanged, to be resumed), else kFresh. Changes nothing.
StageState stage_state(const std::filesystem::path& folder, const std::string& fingerprint);
/// Prepares the folder of a stage that is to run. One with another fingerprint is emptied, since
/// what it holds belongs to another recipe.
void open_stage_folder(const std::filesystem::path& folder, const std::string& fingerprint);
/// Writes DONE, last.
void finish_stage_folder(const std::filesystem::path& folder, const std::string& fingerprint);

/// "2026-11-23T05:10:00Z"
std::string utc_now();

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_FOLDER_H_
