/// A library for LD_PRELOAD. It stands between a program and the calls that reach files, lets one
/// of them fail, and writes down what is called. Only calls on paths that contain $XKDE_FAULT_UNDER
/// are looked at.
///
///   XKDE_FAULT=KIND:NUMBER:ACTION:PATH  the NUMBER-th call (from 1, or `all`) of KIND (a name of
///                                       kKinds, or `any`) on a path that contains PATH meets
///                                       ACTION: an error such as EIO; SHORT, half of the bytes of
///                                       a read or write; a signal such as SIGKILL, sent before
///                                       the call; or PAUSE, after which the call passes
///   XKDE_FAULT_RANK=R                   of MPI's ranks only R meets it
///   XKDE_FAULT_LOG=FILE                 a line for each call: KIND, "!" where the fault was or
///   "-",
///                                       PATH, separated by tabs
///   XKDE_FAULT_KEEP=FOLDER              what is durable at each moment; power_cuts.py reads it:
///       lines of FOLDER/events, separated by tabs, N counts them:
///         S N FILE         the file was synced; its bytes are in FOLDER/N
///         D N FOLDER PATH NAME FILE NAME FILE …  the folder was synced, and what it held then
///         L N FOLDER PATH NAME FILE NAME FILE …  a name changed in the folder, and what it holds
///         now
///       FILE and FOLDER are inode and time of birth, with "d" before them for a folder.

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

// The library's own function behind the one that stands here.
#define NEXT(name)                                                                            \
  ([] {                                                                                       \
    static const auto found = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name)); \
    return found;                                                                             \
  }())

namespace {

enum Kind {
  kOpen,
  kRead,
  kWrite,
  kSync,
  kRename,
  kMkdir,
  kTruncate,
  kAllocate,
  kClose,
  kRemove,
  kMap,
  kStatus,
  kDirect,
  kAny
};
constexpr const char* kKinds[] = {"open",  "read",     "write",    "sync",  "rename",
                                  "mkdir", "truncate", "allocate", "close", "remove",
                                  "map",   "status",   "direct",   "any"};

struct Action {
  const char* name;
  int error, signal;
};
constexpr int kShort = -1;  // in place of an error
constexpr int kPause = -2;
constexpr unsigned kPauseSeconds = 5;
constexpr Action kActions[] = {
    {"SHORT", kShort, 0},    {"PAUSE", kPause, 0},    {"EIO", EIO, 0},
    {"ENOSPC", ENOSPC, 0},   {"EINTR", EINTR, 0},     {"EACCES", EACCES, 0},
    {"EROFS", EROFS, 0},     {"ESTALE", ESTALE, 0},   {"EMFILE", EMFILE, 0},
    {"EINVAL", EINVAL, 0},   {"EDQUOT", EDQUOT, 0},   {"EOPNOTSUPP", EOPNOTSUPP, 0},
    {"SIGKILL", 0, SIGKILL}, {"SIGTERM", 0, SIGTERM}, {"SIGINT", 0, SIGINT},
    {"SIGHUP", 0, SIGHUP},   {"SIGUSR1", 0, SIGUSR1}, {"SIGUSR2", 0, SIGUSR2},
    {"SIGPIPE", 0, SIGPIPE}, {"SIGSTOP", 0, SIGSTOP}, {"SIGSEGV", 0, SIGSEGV},
    {"SIGABRT", 0, SIGABRT}, {"SIGBUS", 0, SIGBUS},
};

struct Plan {
  const char* under = "";
  bool has_fault = false;
  Kind kind = kAny;
  long number = 0;  // 0: all
  Action action{};
  const char* path = "";
  int log = -1;
  const char* keep = nullptr;
};

[[noreturn]] void refuse(const char* what) {
  std::fprintf(stderr, "fault shim: cannot use XKDE_FAULT: %s\n", what);
  ::_exit(127);
}

void parse(const char* text, Plan& plan) {
  static char copy[4096];
  std::snprintf(copy, sizeof copy, "%s", text);
  char* parts[4] = {copy};
  for (int i = 1; i < 4; ++i) {
    char* colon = std::strchr(parts[i - 1], ':');
    if (colon == nullptr) refuse("expected KIND:NUMBER:ACTION:PATH");
    *colon = '\0';
    parts[i] = colon + 1;
  }
  bool known = false;
  for (int kind = 0; kind <= kAny; ++kind) {
    if (std::strcmp(kKinds[kind], parts[0]) != 0) continue;
    plan.kind = static_cast<Kind>(kind);
    known = true;
  }
  if (!known) refuse("unknown kind of call");
  plan.number = std::strcmp(parts[1], "all") == 0 ? 0 : std::atol(parts[1]);
  if (plan.number == 0 && std::strcmp(parts[1], "all") != 0) refuse("expected a number or all");
  known = false;
  for (const Action& action : kActions) {
    if (std::strcmp(action.name, parts[2]) != 0) continue;
    plan.action = action;
    known = true;
  }
  if (!known) refuse("unknown action");
  plan.path = parts[3];
  plan.has_fault = true;
}

bool is_another_rank(const char* wanted) {
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  return wanted != nullptr && (rank == nullptr || std::strcmp(rank, wanted) != 0);
}

Plan make_plan() {
  Plan plan;
  if (const char* under = std::getenv("XKDE_FAULT_UNDER")) plan.under = under;
  const char* fault = std::getenv("XKDE_FAULT");
  if (fault != nullptr && !is_another_rank(std::getenv("XKDE_FAULT_RANK"))) parse(fault, plan);
  if (const char* log = std::getenv("XKDE_FAULT_LOG"))
    plan.log = NEXT(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  plan.keep = std::getenv("XKDE_FAULT_KEEP");
  return plan;
}

const Plan& the_plan() {
  static const Plan plan = make_plan();
  return plan;
}

class KeptErrno {
 public:
  KeptErrno() : value_(errno) {}
  ~KeptErrno() { errno = value_; }
  KeptErrno(const KeptErrno&) = delete;
  KeptErrno& operator=(const KeptErrno&) = delete;

 private:
  int value_;
};

/// The path behind a descriptor, or of a name in a folder's descriptor. Up to two long paths.
struct Path {
  explicit Path(int fd) { behind(fd); }
  explicit Path(const char* name) { std::snprintf(text, sizeof text, "%s", name); }
  Path(int folder, const char* name) {
    if (folder == AT_FDCWD || name[0] == '/') {
      std::snprintf(text, sizeof text, "%s", name);
      return;
    }
    behind(folder);
    const size_t length = std::strlen(text);
    std::snprintf(text + length, sizeof text - length, "/%s", name);
  }
  void behind(int fd) {
    const KeptErrno kept;
    char link[40];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    const ssize_t length = ::readlink(link, text, PATH_MAX);
    text[length < 0 ? 0 : length] = '\0';
  }
  char text[2 * PATH_MAX + 8];
};

bool is_watched(const Path& path) { return std::strstr(path.text, the_plan().under) != nullptr; }

void log_call(Kind kind, bool hit, const Path& path) {
  const KeptErrno kept;
  char line[sizeof path.text + 32];
  const int length =
      std::snprintf(line, sizeof line, "%s\t%s\t%s\n", kKinds[kind], hit ? "!" : "-", path.text);
  [[maybe_unused]] const long written = ::syscall(SYS_write, the_plan().log, line, length);
}

/// Counts a call. Returns the error that it must fail with, kShort, or 0 for a call that passes.
int judge(Kind kind, const Path& path) {
  static std::atomic<long> calls{0};
  const Plan& plan = the_plan();
  if (!is_watched(path)) return 0;
  bool hit = plan.has_fault && (plan.kind == kAny || plan.kind == kind) &&
             std::strstr(path.text, plan.path) != nullptr;
  if (hit) {
    const long call = ++calls;
    hit = plan.number == 0 || call == plan.number;
  }
  if (plan.log >= 0) log_call(kind, hit, path);
  if (!hit) return 0;
  if (plan.action.signal != 0) ::kill(::getpid(), plan.action.signal);
  if (plan.action.error != kPause) return plan.action.error;
  ::sleep(kPauseSeconds);
  return 0;
}

/// Lets `call` pass, or returns -1 with the error that is due.
template <typename Call>
auto guarded(Kind kind, const Path& path, const Call& call) -> decltype(call()) {
  const int error = judge(kind, path);
  if (error > 0) {
    errno = error;
    return -1;
  }
  return call();
}

/// Like guarded(), for `call(bytes)` that may do less than asked.
template <typename Call>
ssize_t guarded_bytes(Kind kind, int fd, size_t bytes, const Call& call) {
  const int error = judge(kind, Path(fd));
  if (error > 0) {
    errno = error;
    return -1;
  }
  return call(error == kShort && bytes > 1 ? bytes / 2 : bytes);
}

// What a power cut leaves.

std::recursive_mutex g_keeping;  // one event at a time

std::string name_of_file(const char* path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_BTIME | STATX_TYPE, &info) !=
      0)
    return "";
  char text[80];
  std::snprintf(text, sizeof text, "%s%llu-%lld.%u", S_ISDIR(info.stx_mode) ? "d" : "",
                static_cast<unsigned long long>(info.stx_ino),
                static_cast<long long>(info.stx_btime.tv_sec), info.stx_btime.tv_nsec);
  return text;
}

void write_event(const std::string& line) {
  const std::string path = std::string(the_plan().keep) + "/events";
  const int fd = NEXT(open)(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = NEXT(write)(fd, line.data(), line.size());
  NEXT(close)(fd);
}

std::string next_number() {
  static long number = 0;  // under g_keeping
  return std::to_string(number++);
}

bool keeps(const Path& path) { return the_plan().keep != nullptr && is_watched(path); }

void keep_folder(const char* letter, const std::string& folder) {
  const KeptErrno kept;
  const std::lock_guard lock(g_keeping);
  std::string line = std::string(letter) + "\t" + next_number() + "\t" +
                     name_of_file(folder.c_str()) + "\t" + folder;
  DIR* open_folder = NEXT(opendir)(folder.c_str());
  if (open_folder == nullptr) return;
  while (const dirent* entry = ::readdir(open_folder)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    line += "\t" + name + "\t" + name_of_file((folder + "/" + name).c_str());
  }
  ::closedir(open_folder);
  write_event(line + "\n");
}

/// After a call that gave, changed or took away the name `path`.
void keep_name(const Path& path) {
  if (!keeps(path)) return;
  const std::string text = path.text;
  const size_t slash = text.rfind('/');
  if (slash != std::string::npos && slash > 0) keep_folder("L", text.substr(0, slash));
}

void keep_synced(int fd) {
  const Path path(fd);
  if (!keeps(path)) return;
  const KeptErrno kept;
  struct stat info {};
  if (NEXT(fstat)(fd, &info) != 0) return;
  if (S_ISDIR(info.st_mode)) return keep_folder("D", path.text);
  const std::lock_guard lock(g_keeping);
  const std::string number = next_number();
  const std::string copy = std::string(the_plan().keep) + "/" + number;
  char link[40];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const int from = NEXT(open)(link, O_RDONLY | O_CLOEXEC);
  const int to = NEXT(open)(copy.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  char piece[65536];
  ssize_t got = 0;
  while (from >= 0 && to >= 0 && (got = NEXT(read)(from, piece, sizeof piece)) > 0) {
    [[maybe_unused]] const ssize_t written = NEXT(write)(to, piece, static_cast<size_t>(got));
  }
  if (from >= 0) NEXT(close)(from);
  if (to >= 0) NEXT(close)(to);
  write_event("S\t" + number + "\t" + name_of_file(path.text) + "\n");
}

template <typename Open>
int open_guarded(const Path& path, int flags, const Open& open) {
  const int fd = guarded(kOpen, path, open);
  if (fd >= 0 && (flags & O_CREAT) != 0) keep_name(path);
  return fd;
}

mode_t mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// Each function below is the C library's. Some programs call the names with 64 or with _chk.

// NOLINTBEGIN(readability-identifier-naming, cert-dcl50-cpp)
extern "C" {

#define XKDE_FAULT_OPEN(name)                                                              \
  int name(const char* path, int flags, ...) {                                             \
    va_list arguments;                                                                     \
    va_start(arguments, flags);                                                            \
    const mode_t mode = mode_of(flags, arguments);                                         \
    va_end(arguments);                                                                     \
    return open_guarded(Path(path), flags, [&] { return NEXT(name)(path, flags, mode); }); \
  }
XKDE_FAULT_OPEN(open)
XKDE_FAULT_OPEN(open64)

#define XKDE_FAULT_OPENAT(name)                                                 \
  int name(int folder, const char* path, int flags, ...) {                      \
    va_list arguments;                                                          \
    va_start(arguments, flags);                                                 \
    const mode_t mode = mode_of(flags, arguments);                              \
    va_end(arguments);                                                          \
    return open_guarded(Path(folder, path), flags,                              \
                        [&] { return NEXT(name)(folder, path, flags, mode); }); \
  }
XKDE_FAULT_OPENAT(openat)
XKDE_FAULT_OPENAT(openat64)

int __open_2(const char* path, int flags) { return open(path, flags); }
int __open64_2(const char* path, int flags) { return open64(path, flags); }

int creat(const char* path, mode_t mode) { return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode); }

#define XKDE_FAULT_FOPEN(name)                                                      \
  FILE* name(const char* path, const char* mode) {                                  \
    FILE* file = nullptr;                                                           \
    open_guarded(Path(path), std::strchr(mode, 'r') == nullptr ? O_CREAT : 0, [&] { \
      file = NEXT(name)(path, mode);                                                \
      return file == nullptr ? -1 : 0;                                              \
    });                                                                             \
    return file;                                                                    \
  }
XKDE_FAULT_FOPEN(fopen)
XKDE_FAULT_FOPEN(fopen64)

DIR* opendir(const char* path) {
  DIR* folder = nullptr;
  guarded(kOpen, Path(path), [&] {
    folder = NEXT(opendir)(path);
    return 0;
  });
  return folder;
}

ssize_t read(int fd, void* out, size_t bytes) {
  return guarded_bytes(kRead, fd, bytes, [&](size_t n) { return NEXT(read)(fd, out, n); });
}
ssize_t __read_chk(int fd, void* out, size_t bytes, size_t) { return read(fd, out, bytes); }

#define XKDE_FAULT_PREAD(name, Offset)                                                            \
  ssize_t name(int fd, void* out, size_t bytes, Offset at) {                                      \
    return guarded_bytes(kRead, fd, bytes, [&](size_t n) { return NEXT(name)(fd, out, n, at); }); \
  }
XKDE_FAULT_PREAD(pread, off_t)
XKDE_FAULT_PREAD(pread64, off64_t)
ssize_t __pread_chk(int fd, void* out, size_t bytes, off_t at, size_t) {
  return pread(fd, out, bytes, at);
}
ssize_t __pread64_chk(int fd, void* out, size_t bytes, off64_t at, size_t) {
  return pread64(fd, out, bytes, at);
}

ssize_t write(int fd, const void* data, size_t bytes) {
  return guarded_bytes(kWrite, fd, bytes, [&](size_t n) { return NEXT(write)(fd, data, n); });
}

#define XKDE_FAULT_PWRITE(name, Offset)                                          \
  ssize_t name(int fd, const void* data, size_t bytes, Offset at) {              \
    return guarded_bytes(kWrite, fd, bytes,                                      \
                         [&](size_t n) { return NEXT(name)(fd, data, n, at); }); \
  }
XKDE_FAULT_PWRITE(pwrite, off_t)
XKDE_FAULT_PWRITE(pwrite64, off64_t)

ssize_t writev(int fd, const iovec* pieces, int count) {
  const int error = judge(kWrite, Path(fd));
  if (error > 0) {
    errno = error;
    return -1;
  }
  // Half of them is what is short of all.
  if (error == kShort) return NEXT(write)(fd, pieces[0].iov_base, (pieces[0].iov_len + 1) / 2);
  return NEXT(writev)(fd, pieces, count);
}

#define XKDE_FAULT_SENDFILE(name, Offset)                                        \
  ssize_t name(int to, int from, Offset* at, size_t bytes) noexcept {            \
    return guarded_bytes(kWrite, to, bytes,                                      \
                         [&](size_t n) { return NEXT(name)(to, from, at, n); }); \
  }
XKDE_FAULT_SENDFILE(sendfile, off_t)
XKDE_FAULT_SENDFILE(sendfile64, off64_t)

int fsync(int fd) {
  const int status = guarded(kSync, Path(fd), [&] { return NEXT(fsync)(fd); });
  if (status == 0) keep_synced(fd);
  return status;
}
int fdatasync(int fd) {
  const int status = guarded(kSync, Path(fd), [&] { return NEXT(fdatasync)(fd); });
  if (status == 0) keep_synced(fd);
  return status;
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  const Path source(from_folder, from), target(to_folder, to);
  Path both = source;
  const size_t length = std::strlen(both.text);
  std::snprintf(both.text + length, sizeof both.text - length, " -> %s", target.text);
  const int status = guarded(
      kRename, both, [&] { return NEXT(renameat2)(from_folder, from, to_folder, to, flags); });
  if (status == 0) {
    keep_name(source);
    keep_name(target);
  }
  return status;
}
int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  return renameat2(from_folder, from, to_folder, to, 0);
}
int rename(const char* from, const char* to) noexcept {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int mkdirat(int folder, const char* name, mode_t mode) noexcept {
  const Path path(folder, name);
  const int status = guarded(kMkdir, path, [&] { return NEXT(mkdirat)(folder, name, mode); });
  if (status == 0) keep_name(path);
  return status;
}
int mkdir(const char* path, mode_t mode) noexcept { return mkdirat(AT_FDCWD, path, mode); }

#define XKDE_FAULT_FTRUNCATE(name, Offset)                                      \
  int name(int fd, Offset bytes) noexcept {                                     \
    return guarded(kTruncate, Path(fd), [&] { return NEXT(name)(fd, bytes); }); \
  }
XKDE_FAULT_FTRUNCATE(ftruncate, off_t)
XKDE_FAULT_FTRUNCATE(ftruncate64, off64_t)

#define XKDE_FAULT_TRUNCATE(name, Offset)                                           \
  int name(const char* path, Offset bytes) noexcept {                               \
    return guarded(kTruncate, Path(path), [&] { return NEXT(name)(path, bytes); }); \
  }
XKDE_FAULT_TRUNCATE(truncate, off_t)
XKDE_FAULT_TRUNCATE(truncate64, off64_t)

#define XKDE_FAULT_FALLOCATE(name, Offset)                                                \
  int name(int fd, int mode, Offset at, Offset bytes) {                                   \
    return guarded(kAllocate, Path(fd), [&] { return NEXT(name)(fd, mode, at, bytes); }); \
  }
XKDE_FAULT_FALLOCATE(fallocate, off_t)
XKDE_FAULT_FALLOCATE(fallocate64, off64_t)

#define XKDE_FAULT_POSIX_FALLOCATE(name, Offset)          \
  int name(int fd, Offset at, Offset bytes) {             \
    const int error = judge(kAllocate, Path(fd));         \
    return error > 0 ? error : NEXT(name)(fd, at, bytes); \
  }
XKDE_FAULT_POSIX_FALLOCATE(posix_fallocate, off_t)
XKDE_FAULT_POSIX_FALLOCATE(posix_fallocate64, off64_t)

int close(int fd) {
  const int error = judge(kClose, Path(fd));
  const int status = NEXT(close)(fd);  // a descriptor is gone whatever close says
  if (error <= 0) return status;
  errno = error;
  return -1;
}

int unlinkat(int folder, const char* name, int flags) noexcept {
  const Path path(folder, name);
  const int status = guarded(kRemove, path, [&] { return NEXT(unlinkat)(folder, name, flags); });
  if (status == 0) keep_name(path);
  return status;
}
int unlink(const char* path) noexcept { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char* path) noexcept { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char* path) noexcept {
  const int status = unlink(path);
  return status != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : status;
}

#define XKDE_FAULT_MMAP(name, Offset)                                                            \
  void* name(void* where, size_t bytes, int protection, int flags, int fd, Offset at) noexcept { \
    if (fd >= 0) {                                                                               \
      const int error = judge(kMap, Path(fd));                                                   \
      if (error > 0) {                                                                           \
        errno = error;                                                                           \
        return MAP_FAILED;                                                                       \
      }                                                                                          \
    }                                                                                            \
    return NEXT(name)(where, bytes, protection, flags, fd, at);                                  \
  }
XKDE_FAULT_MMAP(mmap, off_t)
XKDE_FAULT_MMAP(mmap64, off64_t)

#define XKDE_FAULT_STAT(name, Info)                                              \
  int name(const char* path, Info* info) noexcept {                              \
    return guarded(kStatus, Path(path), [&] { return NEXT(name)(path, info); }); \
  }
XKDE_FAULT_STAT(stat, struct stat)
XKDE_FAULT_STAT(stat64, struct stat64)
XKDE_FAULT_STAT(lstat, struct stat)
XKDE_FAULT_STAT(lstat64, struct stat64)
XKDE_FAULT_STAT(statvfs, struct statvfs)
XKDE_FAULT_STAT(statvfs64, struct statvfs64)

#define XKDE_FAULT_FSTAT(name, Info)                                         \
  int name(int fd, Info* info) noexcept {                                    \
    return guarded(kStatus, Path(fd), [&] { return NEXT(name)(fd, info); }); \
  }
XKDE_FAULT_FSTAT(fstat, struct stat)
XKDE_FAULT_FSTAT(fstat64, struct stat64)

#define XKDE_FAULT_FCNTL(name)                                                                   \
  int name(int fd, int command, ...) {                                                           \
    va_list arguments;                                                                           \
    va_start(arguments, command);                                                                \
    void* argument = va_arg(arguments, void*);                                                   \
    va_end(arguments);                                                                           \
    const auto flags = reinterpret_cast<std::intptr_t>(argument);                                \
    if (command != F_SETFL || (flags & O_DIRECT) == 0) return NEXT(name)(fd, command, argument); \
    return guarded(kDirect, Path(fd), [&] { return NEXT(name)(fd, command, argument); });        \
  }
XKDE_FAULT_FCNTL(fcntl)
XKDE_FAULT_FCNTL(fcntl64)

}  // extern "C"
// NOLINTEND(readability-identifier-naming, cert-dcl50-cpp)
