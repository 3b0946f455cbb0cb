#include "stages/run/run_folder.h"

#include <ctime>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  XKDE_CHECK(!error, IoError, path.string(), ": expected to create a folder, found ",
             error.message());
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

RunFolder::RunFolder(fs::path path) : path_(std::move(path)) {
  make_folder(path_);
  lock_ = FileHandle::open(path_ / ".lock", OpenMode::kLock);
  XKDE_CHECK(lock_.try_lock(LockKind::kExclusive), ConfigError, "output_dir: ", path_.string(),
             ": expected a folder that no other run writes to, found one in use");
}

void RunFolder::write_start(const Recipe& recipe, const RunFacts& facts) {
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
          {"start", utc_now()},
          {"end", nullptr},
          {"exit_reason", "running"}};
  write();
}

void RunFolder::add_inputs(const std::map<fs::path, std::string>& digests) {
  for (const auto& [file, digest] : digests) run_["inputs"][file.string()] = digest;
  write();
}

void RunFolder::write_end(const std::string& exit_reason) {
  run_["end"] = utc_now();
  run_["exit_reason"] = exit_reason;
  write();
}

void RunFolder::write() { write_file_atomically(path_ / "run.json", run_.dump(1) + "\n"); }

std::string stage_folder_name(size_t index, std::string_view name) {
  const std::string number = std::to_string(index + 1);
  return concat(number.size() < 2 ? "0" : "", number, "-", name);
}

StageState stage_state(const fs::path& folder, const std::string& fingerprint) {
  if (text_of_file(folder / "FINGERPRINT") != fingerprint) return StageState::kFresh;
  return fs::exists(folder / "DONE") ? StageState::kDone : StageState::kStarted;
}

void open_stage_folder(const fs::path& folder, const std::string& fingerprint) {
  if (stage_state(folder, fingerprint) != StageState::kFresh) return;
  std::error_code error;
  fs::remove_all(folder, error);
  XKDE_CHECK(!error, IoError, folder.string(), ": expected to remove an outdated stage, found ",
             error.message());
  make_folder(folder);
  write_file_atomically(folder / "FINGERPRINT", fingerprint);
}

void finish_stage_folder(const fs::path& folder, const std::string& fingerprint) {
  write_file_atomically(folder / "DONE", fingerprint + "\n");
}

}  // namespace xkde::recipe
