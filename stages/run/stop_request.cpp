#include "stages/run/stop_request.h"

#include <csignal>

#include <unistd.h>

#include "distributed/comm/typed_gather.h"

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

bool stop_requested_anywhere(dist::Communicator& comm) {
  return dist::largest_of_ranks(comm, stop_requested());
}

}  // namespace xkde::recipe
