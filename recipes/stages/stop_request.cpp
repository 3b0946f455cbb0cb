#include "recipes/stages/stop_request.h"

#include <csignal>

#include <ATen/ATen.h>
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

bool stop_requested(dist::Communicator& comm) {
  at::Tensor flag =
      at::full({1}, static_cast<int64_t>(g_stop), at::TensorOptions().dtype(at::kLong));
  comm.all_reduce(flag, dist::ReduceOp::kMax)->wait();
  return flag.item<int64_t>() != 0;
}

}  // namespace xkde::recipe
