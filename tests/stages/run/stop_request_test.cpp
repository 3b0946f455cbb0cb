#include "stages/run/stop_request.h"

#include <csignal>

#include <gtest/gtest.h>
#include <unistd.h>

#include "distributed/comm/thread_communicator.h"

namespace xkde::recipe {
namespace {

// A request cannot be taken back: each of these is made in a process of its own.

void stop_by(int signal) {
  install_stop_signals();
  if (stop_requested()) _exit(1);
  std::raise(signal);
  _exit(stop_requested() ? 0 : 2);
}

TEST(StopRequest, EachOfThreeSignalsAsksForIt) {
  EXPECT_FALSE(stop_requested());
  for (const int signal : {SIGUSR1, SIGTERM, SIGINT}) {
    EXPECT_EXIT(stop_by(signal), testing::ExitedWithCode(0), "") << signal;
  }
}

void interrupt_twice() {
  install_stop_signals();
  std::raise(SIGINT);
  std::raise(SIGINT);
  _exit(1);
}

TEST(StopRequest, ASecondInterruptEndsTheProcess) {
  EXPECT_EXIT(interrupt_twice(), testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(StopRequest, NoRankIsAskedToStopWithoutASignal) {
  dist::run_ranks(3, [](dist::Communicator& comm) { EXPECT_FALSE(stop_requested_anywhere(comm)); });
}

}  // namespace
}  // namespace xkde::recipe
