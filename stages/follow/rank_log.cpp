#include "stages/follow/rank_log.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <memory>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "core/base/log.h"
#include "stages/run/run_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// "2026-11-30T03:46:41.042Z"
std::string time_stamp() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto whole = std::chrono::system_clock::from_time_t(seconds);
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(now - whole).count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  return fmt::format("{}.{:03}Z", text, part);
}

bool ends_within_a_line(const FileHandle& file, int64_t bytes) {
  if (bytes == 0) return false;
  char last = 0;
  file.pread_all({&last, 1}, bytes - 1);
  return last != '\n';
}

}  // namespace

RankLog::RankLog(fs::path file, int64_t most_bytes)
    : path_(std::move(file)), most_bytes_(most_bytes) {}

void RankLog::open() {
  std::error_code error;
  fs::create_directories(path_.parent_path(), error);
  XKDE_CHECK(!error, IoError, path_.parent_path().string(), ": expected to create a folder, found ",
             error.message());
  FileHandle file = FileHandle::open(path_, OpenMode::kAppend);
  bytes_ = file.status().bytes;
  is_torn_ = bytes_ > 0 && ends_within_a_line(FileHandle::open(path_, OpenMode::kRead), bytes_);
  file_ = std::move(file);
}

void RankLog::append(std::string_view line) {
  if (!file_.is_open()) open();
  std::string text = fmt::format("{}{} {}", is_torn_ ? "\n" : "", time_stamp(), line);
  std::replace(text.begin() + (is_torn_ ? 1 : 0), text.end(), '\n', ' ');
  text += '\n';
  if (bytes_ > 0 && bytes_ + std::ssize(text) > most_bytes_) {
    file_ = FileHandle();
    rename_file(path_, path_.string() + ".old");
    open();
  }
  is_torn_ = true;  // unless all of it gets there
  file_.write_all(text);
  is_torn_ = false;
  bytes_ += std::ssize(text);
}

std::string RankLog::write(std::string_view line) noexcept {
  try {
    append(line);
    return "";
  } catch (const std::exception& error) {
    if (std::exchange(has_complained_, true)) return "";
    return concat(error.what(), "; the run goes on, lines of its log are lost");
  }
}

fs::path rank_log_file(const fs::path& run, int rank) {
  return run / kLogsFolder / fmt::format("rank-{:05}.log", rank);
}

void start_rank_log(const Recipe& recipe, const dist::Communicator& comm) {
  if (!recipe.rank_logs) return;
  auto file = std::make_shared<RankLog>(rank_log_file(recipe.output_dir, comm.rank()));
  log::copy_to([file](std::string_view line) { return file->write(line); });
  log::note(fmt::format("start of {}: rank {} of {} on {}, process {}, {}", recipe.run_name,
                        comm.rank(), comm.size(), host_name(), ::getpid(), comm.backend()));
}

}  // namespace xkde::recipe
