#ifndef XKDE_STAGES_WATCH_RUN_PROGRESS_H_
#define XKDE_STAGES_WATCH_RUN_PROGRESS_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/io/json_file.h"

namespace xkde::recipe {

/// What a rank has done of a stage that comes in chunks.
struct RankWork {
  int64_t chunks = 0;
  double seconds = 0.0;
};

/// How far a stage is, as its folder tells.
struct StageProgress {
  std::string folder;  ///< "02-sft"
  bool is_done = false;
  /// Steps of a training or chunks of anything else: finished ones, and all; 0: not known.
  int64_t done = 0, total = 0;
  /// Figures of a training's steps by their names in metrics.jsonl: (step, value).
  std::map<std::string, std::vector<std::pair<double, double>>> series = {};
  std::map<int64_t, RankWork> ranks = {};
  std::optional<double> seconds_left = {};    ///< judged from the last steps or chunks
  std::optional<double> seconds_silent = {};  ///< since metrics.jsonl grew
};

/// How far a run is.
struct RunProgress {
  std::string name;
  std::string state;      ///< how it stands (state_of_run): "running", "done", "error: ..."
  std::string note = {};  ///< what run.json does not say of that (RunState::note)
  std::string start;      ///< UTC
  int64_t ranks = 0;
  std::vector<StageProgress> stages;

  /// The first stage that is not done; nullptr where all are.
  const StageProgress* current() const;
};

/// Reads a run's folder, of which a run may be writing: a line that is cut short is not there yet.
/// Writes nothing, and needs no right but to read.
class ProgressReader {
 public:
  explicit ProgressReader(std::filesystem::path run) : run_(std::move(run)) {}

  /// What is there now; of metrics.jsonl only what came since the last call is read. Throws
  /// MissingInputError where it is no run's folder, DataError where run.json is not what a run
  /// wrote.
  RunProgress read();

 private:
  /// A stage, as far as its file was read.
  struct Known {
    StageProgress stage;
    int64_t end = 0;  ///< bytes of metrics.jsonl
  };
  const StageProgress& read_stage(const std::string& folder);

  std::filesystem::path run_;
  std::map<std::string, Known> known_;  ///< by folder
};

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_WATCH_RUN_PROGRESS_H_
