#include "tests/faults/shim_plan.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace xkde::fault {
namespace {

constexpr const char* kKinds[] = {"open",  "read",     "write",    "sync",  "rename",
                                  "mkdir", "truncate", "allocate", "close", "remove",
                                  "map",   "status",   "direct",   "any"};

struct Action {
  const char* name;
  int error, signal;
};
constexpr int kPause = -2;  // in place of an error
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

void log_call(Kind kind, bool hit, const Path& path) {
  const KeptErrno kept;
  char line[sizeof path.text + 32];
  const int length =
      std::snprintf(line, sizeof line, "%s\t%s\t%s\n", kKinds[kind], hit ? "!" : "-", path.text);
  [[maybe_unused]] const long written = ::syscall(SYS_write, the_plan().log, line, length);
}

}  // namespace

Path::Path(const char* name) { std::snprintf(text, sizeof text, "%s", name); }

Path::Path(int folder, const char* name) {
  if (folder == AT_FDCWD || name[0] == '/') {
    std::snprintf(text, sizeof text, "%s", name);
    return;
  }
  behind(folder);
  append("/");
  append(name);
}

void Path::behind(int fd) {
  const KeptErrno kept;
  char link[40];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = ::readlink(link, text, PATH_MAX);
  text[length < 0 ? 0 : length] = '\0';
}

void Path::append(const char* more) {
  const size_t length = std::strlen(text);
  std::snprintf(text + length, sizeof text - length, "%s", more);
}

const char* folder_to_keep() { return the_plan().keep; }

bool is_watched(const Path& path) { return std::strstr(path.text, the_plan().under) != nullptr; }

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

}  // namespace xkde::fault
