#include "core/memory/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <string_view>

#include <fcntl.h>
#include <limits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/error.h"
#include "core/base/memory_failure.h"
#include "core/base/process_memory.h"

namespace xkde {
namespace {

/// Exit codes of the child that a sanitizer or a library has no reason to use.
enum ChildEnd : int { kSafe = 0, kRefused = 101, kNoMemory = 102 };

/// Both ends of a pipe; a child's message of up to PIPE_BUF bytes fits in without a reader.
class MessagePipe {
 public:
  explicit MessagePipe(const std::string& name) {
    XKDE_CHECK(::pipe2(ends_.data(), O_CLOEXEC) == 0, IoError, name,
               ": expected a pipe to a process, found: ", std::strerror(errno));
  }
  MessagePipe(const MessagePipe&) = delete;
  MessagePipe& operator=(const MessagePipe&) = delete;
  ~MessagePipe() {
    for (const int end : ends_) ::close(end);
  }
  void put(std::string_view message) const {
    // A message that is lost leaves the exit code.
    [[maybe_unused]] const ssize_t written =
        ::write(ends_[1], message.data(), std::min<size_t>(message.size(), PIPE_BUF));
  }
  /// To be called after the child's end. Never waits.
  std::string take() const {
    std::array<char, PIPE_BUF> bytes{};
    ::fcntl(ends_[0], F_SETFL, O_NONBLOCK);
    const ssize_t count = ::read(ends_[0], bytes.data(), bytes.size());
    return {bytes.data(), static_cast<size_t>(std::max<ssize_t>(count, 0))};
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

void limit(__rlimit_resource resource, int64_t soft, int64_t hard) {
  const rlimit bounds{static_cast<rlim_t>(soft), static_cast<rlim_t>(hard)};
  ::setrlimit(resource, &bounds);  // a limit that cannot be raised is a stricter one
}

/// Whether this process has a limit of its own on memory.
bool is_limited() {
  for (const auto resource : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit bounds{};
    if (::getrlimit(resource, &bounds) == 0 && bounds.rlim_cur != RLIM_INFINITY) return true;
  }
  return false;
}

void prepare_child(pid_t parent, const ChildLimits& limits) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kSafe);  // it died before; nobody waits
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGALRM}) {
    ::signal(signal, SIG_DFL);
  }
  // Who stops a job signals all of its processes. This one is not to be taken for a dead one.
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_IGN);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // What a dying library prints helps nobody.
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_CPU, limits.seconds, limits.seconds + 1);
  if (const int64_t bytes = address_space_bytes(); bytes > 0) {
    limit(RLIMIT_AS, bytes + limits.bytes, bytes + limits.bytes);
  }
  ::alarm(static_cast<unsigned>(limits.clock_seconds));  // for a library that waits
}

int end_of(const std::function<void()>& work, const MessagePipe& message) {
  try {
    work();
  } catch (const DataError& error) {
    message.put(error.what());
    return kRefused;
  } catch (const MemoryError&) {
    return kNoMemory;
  } catch (const std::exception& error) {
    return memory_failure(error) ? kNoMemory : kSafe;
  }
  return kSafe;
}

[[noreturn]] void throw_of_signal(int signal, const std::string& name, const std::string& library,
                                  const ChildLimits& limits) {
  XKDE_CHECK(signal != SIGKILL, MemoryError, name, ": the process that tried it was killed, as the",
             " system does where memory runs out");
  XKDE_CHECK(signal != SIGXCPU, DataError, name, ": expected what ", library, " can read within ",
             limits.seconds, " s of processor time, found more work");
  XKDE_CHECK(signal != SIGALRM, DataError, name, ": expected what ", library, " can read within ",
             limits.clock_seconds, " s, found that it takes longer");
  throw DataError(concat(name, ": expected what ", library,
                         " can read, found a file that ends it with signal ", signal));
}

int wait_for(pid_t child, const std::string& name) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    XKDE_CHECK(errno == EINTR, IoError, name,
               ": expected the end of a process, found: ", std::strerror(errno));
  }
  return status;
}

}  // namespace

void try_in_child(const std::string& name, const std::string& library,
                  const std::function<void()>& work, const ChildLimits& limits) {
  const MessagePipe message(name);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  XKDE_CHECK(child >= 0, MemoryError, name,
             ": expected a process to try it in, found: ", std::strerror(errno));
  if (child == 0) {
    prepare_child(parent, limits);
    ::_exit(end_of(work, message));
  }
  const int status = wait_for(child, name);
  if (WIFSIGNALED(status)) throw_of_signal(WTERMSIG(status), name, library, limits);
  switch (WEXITSTATUS(status)) {
    case kSafe:
      return;
    case kRefused:
      throw DataError(message.take());
    case kNoMemory:
      XKDE_CHECK(!is_limited(), MemoryError, name, ": no memory left to try it with");
      throw DataError(concat(name, ": expected what ", library, " can read with ", limits.bytes,
                             " bytes, found a file that takes more"));
    default:
      throw InternalError(concat(name, ": expected a process to end by itself, found status ",
                                 WEXITSTATUS(status)));
  }
}

}  // namespace xkde
