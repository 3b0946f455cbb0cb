#include "recipes/stages/stop_request.h"

#include <csignal>
#include <vector>

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

StepEnd agree_on_step_end(dist::Communicator& comm, bool is_writing) {
  const std::vector<int64_t> mine{g_stop, is_writing ? 1 : 0};
  at::Tensor flags = at::tensor(mine, at::TensorOptions().dtype(at::kLong));
  comm.all_reduce(flags, dist::ReduceOp::kMax)->wait();
  return {flags[0].item<int64_t>() != 0, flags[1].item<int64_t>() != 0};
}

}  // namespace xkde::recipe
