#include "stages/run/stop_request.h"

#include <csignal>
#include <string>

#include <unistd.h>

namespace xkde::recipe {
namespace {

volatile std::sig_atomic_t g_stop = 0;

void on_signal(int signal) {
  if (signal == SIGINT && g_stop != 0) ::_exit(128 + SIGINT);
  g_stop = 1;
}

}  // namespace

void install_stop_signals() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) ::sigaction(signal, &action, nullptr);
}

bool stop_requested() { return g_stop != 0; }

StepEnd agree_on_step_end(dist::Communicator& comm, bool is_writing) {
  StepEnd end;
  for (const std::string& flags :
       comm.all_gather_bytes({stop_requested() ? '1' : '0', is_writing ? '1' : '0'})) {
    end.stop_requested |= flags[0] == '1';
    end.is_writing |= flags[1] == '1';
  }
  return end;
}

}  // namespace xkde::recipe
