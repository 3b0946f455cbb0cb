#include "core/base/stop_signals.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

#include <unistd.h>

#include "core/base/error.h"

namespace xkde {
namespace {

constexpr int kStopSignals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGINT};

// A signal comes to any thread, and all of them ask.
std::atomic<int> g_stop = 0;  ///< the signal that asked for it
std::atomic<bool> g_save = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

std::atomic<const char*> g_line = nullptr;  ///< of say_at_stop()
static_assert(std::atomic<const char*>::is_always_lock_free);

void say(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

void on_stop(int signal) {
  const int error = errno;
  if (signal == SIGINT && g_stop == SIGINT) {
    say("ended at once, as Ctrl-C came twice\n");
    ::_exit(128 + SIGINT);
  }
  g_stop = signal;
  if (signal != SIGUSR1) {
    if (const char* const line = g_line.exchange(nullptr)) say(line);
  }
  errno = error;
}

void on_save(int /*signal*/) { g_save = true; }

void handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

bool is_ignored(int signal) {
  struct sigaction action = {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void install_stop_signals() {
  for (const int signal : kStopSignals) {
    if (signal != SIGHUP || !is_ignored(signal)) handle(signal, on_stop);
  }
  handle(SIGUSR2, on_save);
  handle(SIGPIPE, SIG_IGN);
}

void say_at_stop(const char* line) noexcept { g_line = line; }

void restore_stop_signals() {
  for (const int signal : kStopSignals) {
    if (signal != SIGHUP || !is_ignored(signal)) handle(signal, SIG_DFL);
  }
  handle(SIGUSR2, SIG_DFL);
  if (g_stop != 0) ::raise(g_stop);
}

bool stop_requested() noexcept { return g_stop != 0; }

void check_stop() {
  if (stop_requested()) throw StopRequested("stopped on request");
}

bool take_save_request() noexcept { return g_save.exchange(false); }

}  // namespace xkde
