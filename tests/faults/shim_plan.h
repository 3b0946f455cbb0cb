#ifndef XKDE_TESTS_FAULTS_SHIM_PLAN_H_
#define XKDE_TESTS_FAULTS_SHIM_PLAN_H_

#include <cerrno>
#include <climits>
#include <cstddef>

#include <dlfcn.h>
#include <sys/types.h>

// The library's own function behind the one that stands here.
#define NEXT(name)                                                                            \
  ([] {                                                                                       \
    static const auto found = reinterpret_cast<decltype(&::name)>(::dlsym(RTLD_NEXT, #name)); \
    return found;                                                                             \
  }())

namespace xkde::fault {

/// Of calls.
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
  explicit Path(const char* name);
  Path(int folder, const char* name);
  void behind(int fd);
  void append(const char* more);  ///< as much of it as there is room for
  char text[2 * PATH_MAX + 8];
};

/// Where XKDE_FAULT_KEEP says; null where nothing is kept.
const char* folder_to_keep();
/// Whether XKDE_FAULT_UNDER looks at the path.
bool is_watched(const Path& path);

/// In place of an error: half of the bytes.
inline constexpr int kShort = -1;
/// Counts a call. Returns the error that it must fail with, kShort, or 0 for a call that passes.
int judge(Kind kind, const Path& path);

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

}  // namespace xkde::fault

#endif  // XKDE_TESTS_FAULTS_SHIM_PLAN_H_
