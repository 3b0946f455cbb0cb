#ifndef XKDE_STAGES_WATCH_RUN_STATE_H_
#define XKDE_STAGES_WATCH_RUN_STATE_H_

#include <filesystem>
#include <optional>
#include <string>

#include "stages/recipe/run_record.h"
#include "stages/run/run_lock.h"

namespace xkde::recipe {

/// How a run stands, seen from outside. A run that was killed, or whose disk was full, could not
/// write its end into run.json; its lock tells that its process is gone.
struct RunState {
  /// run.json; its exit_reason is kInterrupted where it says kRunning and the process is gone.
  RunRecord record;
  /// What is not in run.json, as words: that the process is gone, or that it is of another host and
  /// not seen from here, and when the run last wrote. "" where there is nothing to say.
  std::string note;
};

/// Nothing where there is no run.json. Throws as read_run_record and use_of. Changes nothing.
std::optional<RunState> state_of_run(const std::filesystem::path& folder);

/// What is to be said of a run whose run.json says kRunning, when `use` is what its lock tells.
std::string note_on(const FolderUse& use, const std::filesystem::path& folder,
                    const RunRecord& record);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_WATCH_RUN_STATE_H_
