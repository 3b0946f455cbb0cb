#include "stages/watch/run_state.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "stages/run/run_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// When a run last wrote: into run.json, or into the folder of a stage. Commands that read a run
/// write elsewhere (report.html).
std::time_t last_written(const fs::path& run, const RunRecord& record) {
  std::vector<fs::path> files{run / kRunFile};
  for (const std::string& stage : record.stages) {
    if (!is_folder(run / stage, FileOrigin::kOwn)) continue;
    for (const fs::path& entry : entries_of(run / stage, FileOrigin::kOwn)) files.push_back(entry);
  }
  fs::file_time_type newest = fs::file_time_type::min();
  for (const fs::path& file : files) {
    std::error_code error;
    const fs::file_time_type written = fs::last_write_time(file, error);
    if (!error) newest = std::max(newest, written);
  }
  const auto since_1970 = std::chrono::file_clock::to_sys(newest).time_since_epoch();
  return std::chrono::floor<std::chrono::seconds>(since_1970).count();
}

}  // namespace

std::string note_on(const FolderUse& use, const fs::path& folder, const RunRecord& record) {
  if (use.kind == FolderUse::kHeld) return "";
  const std::string last = utc_text(last_written(folder, record));
  if (use.kind == FolderUse::kFree) return "it ended without a word, and last wrote at " + last;
  const std::string who = use.holder
                              ? concat("process ", use.holder->process, " on ", use.holder->host)
                              : "its process";
  return who + " is not seen from here; it last wrote at " + last;
}

std::optional<RunState> state_of_run(const fs::path& folder) {
  std::optional<RunRecord> record = read_run_record(folder);
  while (record && record->exit_reason == kRunning) {
    const FolderUse use = use_of(folder);
    if (use.kind == FolderUse::kHeld) break;
    // It may have ended as it should between the two looks, or another one may have started.
    std::optional<RunRecord> again = read_run_record(folder);
    const bool is_as_before = again && again->json == record->json;
    record = std::move(again);
    if (!is_as_before) continue;
    std::string note = note_on(use, folder, *record);
    if (use.kind == FolderUse::kFree) record->exit_reason = kInterrupted;
    return RunState{std::move(*record), std::move(note)};
  }
  if (!record) return std::nullopt;
  return RunState{std::move(*record), ""};
}

}  // namespace xkde::recipe
