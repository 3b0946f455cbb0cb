#include "stages/run/run_folder.h"

#include <utility>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/io/atomic_file.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFirstStart = "first_start";

/// The folder, which is made where it is not there.
const fs::path& made(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  XKDE_CHECK(!error, IoError, path.string(), ": expected to create a folder, found ",
             error.message());
  return path;
}

}  // namespace

std::string utc_text(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string utc_now() { return utc_text(std::time(nullptr)); }

RunFolder::RunFolder(fs::path path) : path_(std::move(path)), lock_(made(path_)) {
  before_ = read_run_record(path_);
  if (!before_ || before_->exit_reason != kRunning) return;
  // The lock is ours: nobody runs any more.
  log::warning(path_.string() + ": the start before was interrupted, its process is gone");
  before_->exit_reason = kInterrupted;
  before_->json["exit_reason"] = kInterrupted;
  write(before_->json);
}

void RunFolder::write_start(const Recipe& recipe, const RunFacts& facts,
                            const std::vector<std::string>& stages) {
  const std::string now = utc_now();
  // Not before_: --fresh may have set its run.json aside.
  const std::optional<RunRecord> so_far = read_run_record(path_);
  const bool goes_on = so_far && so_far->json.contains(kFirstStart);
  run_ = {{"run_name", recipe.run_name},
          {"recipe", resolved(recipe)},
          {"argv", facts.argv},
          {"versions", facts.versions},
          {"hosts", facts.hosts},
          {"ranks", facts.hosts.size()},
          {"backend", facts.backend},
          {"seed", recipe.seed},
          {"git_commit", facts.versions.value("git_commit", "unknown")},
          {"inputs", Json::object()},
          {kFirstStart, goes_on ? so_far->json.at(kFirstStart) : Json(now)},
          {"start", now},
          {"end", nullptr},
          {"exit_reason", kRunning},
          {"stages", stages}};
  write(run_);
}

void RunFolder::add_inputs(const std::map<fs::path, std::string>& digests) {
  for (const auto& [file, digest] : digests) run_["inputs"][file.string()] = digest;
  write(run_);
}

void RunFolder::write_end(const std::string& exit_reason) {
  if (run_.is_null()) return;
  run_["end"] = utc_now();
  run_["exit_reason"] = exit_reason;
  write(run_);
}

void RunFolder::write(const Json& run) const {
  write_file_atomically(path_ / kRunFile, run.dump(1) + "\n");
}

}  // namespace xkde::recipe
