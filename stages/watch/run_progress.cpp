#include "stages/watch/run_progress.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <system_error>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "stages/recipe/run_record.h"
#include "stages/run/stage_folder.h"
#include "stages/watch/run_state.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// The last steps, from whose times the time left is judged.
constexpr size_t kJudgedSteps = 20;

std::optional<double> number_at(const Json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

void take_step(const Json& line, StageProgress& stage) {
  const double step = *number_at(line, "step");
  stage.done = static_cast<int64_t>(step);
  for (const auto& [key, value] : line.items()) {
    if (key != "step" && key != "total_steps" && value.is_number())
      stage.series[key].emplace_back(step, value.get<double>());
  }
  if (const auto total = number_at(line, "total_steps")) stage.total = static_cast<int64_t>(*total);
}

void take_chunk(const Json& line, StageProgress& stage) {
  ++stage.done;
  if (const auto total = number_at(line, "chunks")) stage.total = static_cast<int64_t>(*total);
  RankWork& rank = stage.ranks[static_cast<int64_t>(number_at(line, "rank").value_or(0))];
  ++rank.chunks;
  rank.seconds += number_at(line, "seconds").value_or(0.0);
}

std::optional<double> time_left(const StageProgress& stage) {
  if (stage.is_done || stage.total <= stage.done || stage.done == 0) return std::nullopt;
  const auto left = static_cast<double>(stage.total - stage.done);
  double seconds = 0.0, count = 0.0;
  if (const auto times = stage.series.find("step_seconds"); times != stage.series.end()) {
    const size_t last = std::min(kJudgedSteps, times->second.size());
    for (size_t i = times->second.size() - last; i < times->second.size(); ++i)
      seconds += times->second[i].second;
    count = static_cast<double>(last);
  } else {
    // Ranks work side by side.
    for (const auto& [rank, work] : stage.ranks) seconds += work.seconds;
    count = static_cast<double>(stage.done) * static_cast<double>(stage.ranks.size());
  }
  if (count == 0.0) return std::nullopt;
  return seconds / count * left;
}

std::string text_of(const Json& run, const char* key) {
  return run.contains(key) && run[key].is_string() ? run[key].get<std::string>() : "";
}

}  // namespace

const StageProgress* RunProgress::current() const {
  for (const StageProgress& stage : stages) {
    if (!stage.is_done) return &stage;
  }
  return nullptr;
}

const StageProgress& ProgressReader::read_stage(const std::string& folder) {
  Known& known = known_[folder];
  const fs::path metrics = run_ / folder / kMetricsFile;
  std::error_code error;
  const auto bytes = fs::file_size(metrics, error);
  // A restart cuts the file, and a fresh start makes it anew.
  if (error || static_cast<int64_t>(bytes) < known.end) known = {};
  StageProgress& stage = known.stage;
  stage.folder = folder;
  if (!is_folder(run_ / folder, FileOrigin::kOwn)) return stage;
  stage.is_done = is_done(run_ / folder);
  if (error) return stage;
  LineReader lines(metrics, FileOrigin::kOwn, known.end);
  for (std::string text; lines.next(text) && lines.is_whole();) {
    known.end = lines.end();
    const Json line = Json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    if (number_at(line, "step")) take_step(line, stage);
    if (number_at(line, "chunk")) take_chunk(line, stage);
  }
  const auto written = fs::last_write_time(metrics, error);
  if (!error) {
    const auto silent = fs::file_time_type::clock::now() - written;
    stage.seconds_silent = std::max(0.0, std::chrono::duration<double>(silent).count());
  }
  stage.seconds_left = time_left(stage);
  return stage;
}

RunProgress ProgressReader::read() {
  const std::optional<RunState> found = state_of_run(run_);
  XKDE_CHECK(found.has_value(), MissingInputError, run_.string(),
             ": expected the folder of a run, found no run.json in it");
  const RunRecord& record = found->record;
  RunProgress run{.name = record.run_name.empty() ? run_.filename().string() : record.run_name,
                  .state = record.exit_reason,
                  .note = found->note,
                  .start = text_of(record.json, "start"),
                  .ranks = 0,
                  .stages = {}};
  if (const auto ranks = number_at(record.json, "ranks")) run.ranks = static_cast<int64_t>(*ranks);
  for (const std::string& name : record.stages) run.stages.push_back(read_stage(name));
  return run;
}

}  // namespace xkde::recipe
