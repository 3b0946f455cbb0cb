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
///                                       "-" where not, PATH, separated by tabs
///   XKDE_FAULT_KEEP=FOLDER              what is durable at each moment; power_cuts.py reads it:
///       lines of FOLDER/events, separated by tabs, N counts them:
///         S N FILE         the file was synced; its bytes are in FOLDER/N
///         D N FOLDER PATH NAME FILE NAME FILE …  the folder was synced, and what it held then
///         L N FOLDER PATH NAME FILE NAME FILE …  a name changed in the folder, and what it holds
///         now
///       FILE and FOLDER are inode and time of birth, with "d" before them for a folder.

#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/faults/shim_keep.h"
#include "tests/faults/shim_plan.h"

namespace {

using namespace xkde::fault;

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
  both.append(" -> ");
  both.append(target.text);
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
