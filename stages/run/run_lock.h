#ifndef XKDE_STAGES_RUN_RUN_LOCK_H_
#define XKDE_STAGES_RUN_RUN_LOCK_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/io/file.h"

namespace xkde::recipe {

inline constexpr const char* kLockFile = ".lock";           ///< carries the kernel's lock
inline constexpr const char* kHolderFile = ".lock.holder";  ///< says who holds it

/// What tells a process from all others that may write to the same folder.
struct ProcessIdentity {
  std::string host;     ///< its name
  std::string boot;     ///< of the kernel: another one after each start of the machine
  int64_t process = 0;  ///< its number
  int64_t started = 0;  ///< when it started, in the kernel's ticks
  std::string since;    ///< the time of day, for people
  std::string job;      ///< of SLURM; a job that is requeued keeps its number; "" outside of SLURM
};
ProcessIdentity this_process();

/// How far the kernel's locks reach.
enum class LockReach {
  kAllHosts,  ///< nobody else can write to the file system of the folder
  kThisHost,  ///< other hosts may, and perhaps do not see the lock
};

/// The lock of a run's folder. One process has it at a time, on all hosts that share the folder.
/// On one host that is the kernel's lock of ".lock" (flock), which ends with its process. It may
/// not reach other hosts (NFS without a lock manager, Lustre without its flock option), so the
/// holder also makes ".lock.holder", which only one can make at a time, and removes it at the end.
/// One that a kill left is known by what it says: a process of this kernel that has no lock any
/// more, of this host before it started anew, or of this job before it was requeued. One of another
/// host counts, unless nobody else can write to the file system.
class RunLock {
 public:
  /// Throws ConfigError that names the holder, and how to go on where only a user can know that it
  /// is gone; IoError where ".lock" is a link or cannot be made.
  explicit RunLock(const std::filesystem::path& folder);
  RunLock(const std::filesystem::path& folder, const ProcessIdentity& own, LockReach reach);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

 private:
  std::filesystem::path holder_file_;
  std::string record_;                       ///< what holder_file_ says
  std::vector<std::filesystem::path> left_;  ///< temporary files that could not be removed yet
  FileHandle lock_;
};

/// Who writes to a run's folder at this moment, as far as this host can tell.
struct FolderUse {
  enum Kind {
    kFree,     ///< nobody: the kernel's lock is free, and who held it is gone
    kHeld,     ///< a process that the kernel sees
    kNotSeen,  ///< perhaps the process of another host, which has left its record
  };
  Kind kind = kFree;
  std::optional<ProcessIdentity> holder = {};  ///< as its record says, where it can be read
};
/// Throws IoError where it cannot look. Changes nothing.
FolderUse use_of(const std::filesystem::path& folder);
FolderUse use_of(const std::filesystem::path& folder, const ProcessIdentity& own, LockReach reach);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RUN_RUN_LOCK_H_
