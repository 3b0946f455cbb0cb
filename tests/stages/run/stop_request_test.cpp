#include "stages/run/stop_request.h"

#include <gtest/gtest.h>

#include "distributed/comm/thread_communicator.h"

namespace xkde::recipe {
namespace {

TEST(StopRequest, NoRankIsAskedToStopWithoutASignal) {
  dist::run_ranks(3, [](dist::Communicator& comm) { EXPECT_FALSE(stop_requested_anywhere(comm)); });
}

}  // namespace
}  // namespace xkde::recipe
