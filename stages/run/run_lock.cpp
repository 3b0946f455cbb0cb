#include "stages/run/run_lock.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <sstream>
#include <string_view>
#include <thread>

#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/host_name.h"
#include "core/base/log.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/run_folder.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

// What holds a lock for a moment only (use_of), or has not yet said who it is.
constexpr int kTries = 25;
constexpr std::chrono::milliseconds kNap(20);

/// File systems that one kernel has to itself (statfs(2)).
constexpr uint64_t kLocalFileSystems[] = {
    0xEF53,      // ext2 to ext4
    0x58465342,  // XFS
    0x9123683E,  // Btrfs
    0x2FC12FC1,  // ZFS
    0xF2F52010,  // F2FS
    0x01021994,  // tmpfs
    0x858458F6,  // ramfs
    0x794C7630,  // overlay
};

enum class KernelLock { kTaken, kHeld, kUnknown };

KernelLock try_flock(const FileHandle& file, int kind) {
  while (::flock(file.fd(), kind | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return KernelLock::kHeld;
    const bool has_none = errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP;
    XKDE_CHECK(has_none, IoError, file.path().string(), ": flock: ", std::strerror(errno));
    return KernelLock::kUnknown;
  }
  return KernelLock::kTaken;
}

LockReach reach_in(const fs::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return LockReach::kThisHost;
  const auto type = static_cast<uint64_t>(static_cast<uint32_t>(info.f_type));
  const bool is_local = std::ranges::find(kLocalFileSystems, type) != std::end(kLocalFileSystems);
  return is_local ? LockReach::kAllHosts : LockReach::kThisHost;
}

/// When a process of this kernel started; 0 where there is none.
int64_t start_of(int64_t process) {
  const std::string text = text_of_file(concat("/proc/", process, "/stat"));
  // The name in brackets may hold anything.
  const size_t end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream rest(text.substr(end + 1));
  constexpr int kFieldsBefore = 19;  // state to itrealvalue
  std::string skipped;
  for (int i = 0; i < kFieldsBefore; ++i) rest >> skipped;
  int64_t ticks = 0;
  return rest >> ticks ? ticks : 0;
}

std::string text_of(const ProcessIdentity& own) {
  const Json json{{"host", own.host}, {"process", own.process}, {"since", own.since},
                  {"boot", own.boot}, {"started", own.started}, {"job", own.job}};
  return json.dump() + "\n";
}

/// Nothing where a file is not what text_of() gives.
std::optional<ProcessIdentity> parse_identity(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  ProcessIdentity found;
  for (const auto& [key, part] : {std::pair{"host", &found.host}, std::pair{"since", &found.since},
                                  std::pair{"boot", &found.boot}, std::pair{"job", &found.job}}) {
    if (!json.contains(key) || !json[key].is_string()) return std::nullopt;
    *part = json[key].get<std::string>();
  }
  for (const auto& [key, part] :
       {std::pair{"process", &found.process}, std::pair{"started", &found.started}}) {
    if (!json.contains(key) || !json[key].is_number_integer()) return std::nullopt;
    *part = json[key].get<int64_t>();
  }
  return found;
}

/// Whether the holder of a record is gone, though it did not remove it.
bool is_gone(const std::optional<ProcessIdentity>& holder, const ProcessIdentity& own,
             KernelLock kernel, LockReach reach) {
  const bool is_taken = kernel == KernelLock::kTaken;
  if (is_taken && reach == LockReach::kAllHosts) return true;
  if (!holder) return false;
  if (holder->boot == own.boot) return is_taken || start_of(holder->process) != holder->started;
  return holder->host == own.host || (!own.job.empty() && holder->job == own.job);
}

[[noreturn]] void refuse(const fs::path& folder, const std::optional<ProcessIdentity>& holder,
                         const std::string& hint) {
  std::string by;
  if (holder)
    by = concat(" by process ", holder->process, " on ", holder->host, " since ", holder->since);
  throw ConfigError(concat("output_dir: ", folder.string(),
                           ": expected a folder that no other run writes to, found one in use", by,
                           hint));
}

/// The kernel's lock, or what is known of who has it.
KernelLock take_kernel_lock(const FileHandle& lock, const fs::path& holder_file) {
  KernelLock kernel = try_flock(lock, LOCK_EX);
  for (int i = 1; kernel == KernelLock::kHeld && i < kTries; ++i) {
    std::this_thread::sleep_for(kNap);
    kernel = try_flock(lock, LOCK_EX);
    if (i > 2 && kernel == KernelLock::kHeld && parse_identity(text_of_file(holder_file))) break;
  }
  return kernel;
}

/// Removes a file of ours. Notes it for a later try where that fails.
void remove_or_note(const fs::path& file, std::vector<fs::path>& left) {
  if (::unlink(file.c_str()) != 0 && errno != ENOENT) left.push_back(file);
}

/// Makes the holder's file with its content, unless there is one. Returns whether it did.
bool make_record(const fs::path& file, const std::string& text, std::vector<fs::path>& left) {
  const fs::path whole = temporary_in(file.parent_path());
  {
    FileHandle handle = FileHandle::open(whole, OpenMode::kCreate);
    handle.write_all(text);
    handle.close();
  }
  const bool made = ::link(whole.c_str(), file.c_str()) == 0;
  const int error = errno;
  remove_or_note(whole, left);
  if (made) return true;
  if (error == EEXIST) return false;
  const bool has_links = error != EPERM && error != EOPNOTSUPP && error != ENOSYS;
  XKDE_CHECK(!has_links, IoError, file.string(), ": cannot create: ", std::strerror(error));
  FileHandle handle = FileHandle::try_open(file, OpenMode::kCreate);
  if (!handle.is_open() && errno == EEXIST) return false;
  XKDE_CHECK(handle.is_open(), IoError, file.string(), ": cannot create: ", std::strerror(errno));
  handle.write_all(text);
  return true;
}

/// Removes a record that was judged to be of a holder that is gone. Another start may have done so,
/// and have made its own: that one is put back.
void remove_record(const fs::path& file, const std::string& judged, std::vector<fs::path>& left) {
  const fs::path aside = temporary_in(file.parent_path());
  if (std::rename(file.c_str(), aside.c_str()) != 0) {
    XKDE_CHECK(errno == ENOENT, IoError, file.string(), ": expected to remove it, found ",
               std::strerror(errno));
    return;
  }
  if (text_of_file(aside) != judged && ::link(aside.c_str(), file.c_str()) != 0)
    log::warning(file.string() + ": expected to put back the record of another run");
  remove_or_note(aside, left);
}

}  // namespace

ProcessIdentity this_process() {
  const char* job = std::getenv("SLURM_JOB_ID");
  return {.host = host_name(),
          .boot = boot_id(),
          .process = ::getpid(),
          .started = start_of(::getpid()),
          .since = utc_now(),
          .job = job == nullptr ? "" : job};
}

RunLock::RunLock(const fs::path& folder) : RunLock(folder, this_process(), reach_in(folder)) {}

RunLock::RunLock(const fs::path& folder, const ProcessIdentity& own, LockReach reach)
    : holder_file_(folder / kHolderFile),
      record_(text_of(own)),
      lock_(FileHandle::open(folder / kLockFile, OpenMode::kLock)) {
  const KernelLock kernel = take_kernel_lock(lock_, holder_file_);
  for (int i = 0; i < kTries && kernel != KernelLock::kHeld; ++i) {
    if (make_record(holder_file_, record_, left_)) {
      remove_leftovers(folder);
      return;
    }
    const std::string other = text_of_file(holder_file_);
    const std::optional<ProcessIdentity> holder = parse_identity(other);
    if (!is_gone(holder, own, kernel, reach))
      refuse(folder, holder, "; if it has ended without a word, remove " + holder_file_.string());
    remove_record(holder_file_, other, left_);
  }
  refuse(folder, parse_identity(text_of_file(holder_file_)), "");
}

RunLock::~RunLock() {
  std::vector<fs::path> stay;
  for (const fs::path& file : left_) remove_or_note(file, stay);
  try {
    if (text_of_file(holder_file_) == record_) remove_or_note(holder_file_, stay);
  } catch (const Error&) {
    stay.push_back(holder_file_);
  }
  for (const fs::path& file : stay) log::warning(file.string() + ": could not be removed");
}

FolderUse use_of(const fs::path& folder) {
  return use_of(folder, this_process(), reach_in(folder));
}

FolderUse use_of(const fs::path& folder, const ProcessIdentity& own, LockReach reach) {
  const std::optional<FileHandle> lock = open_if_there(folder / kLockFile, FileOrigin::kOwn);
  if (!lock) return {};
  const KernelLock kernel = try_flock(*lock, LOCK_SH);
  const std::string text = text_of_file(folder / kHolderFile);
  const std::optional<ProcessIdentity> holder = parse_identity(text);
  if (kernel == KernelLock::kHeld) return {FolderUse::kHeld, holder};
  if (text.empty() || is_gone(holder, own, kernel, reach)) return {};
  const bool is_here = holder && holder->boot == own.boot;
  return {is_here ? FolderUse::kHeld : FolderUse::kNotSeen, holder};
}

}  // namespace xkde::recipe
