#include "distributed/comm/arrival_board.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "distributed/comm/mpi_communicator.h"
#include "distributed/comm/thread_communicator.h"
#include "tests/distributed/comm/mpi_test_environment.h"

namespace xkde::dist {
namespace {

CollectiveCall call(Operation operation, int64_t sequence) {
  CollectiveCall result;
  result.operation = operation;
  result.sequence = sequence;
  return result;
}

TEST(ArrivalBoard, NamesTheRanksThatAreBehindAndWhereTheyAre) {
  const auto comm = make_mpi_communicator(mpi_test_environment(), {.timeout_s = 60});
  if (comm->size() < 3) GTEST_SKIP() << "needs three ranks";
  ArrivalBoard board(*comm);
  if (comm->rank() != 2) board.arrive(call(Operation::kReduceScatter, 11), "block 6");
  if (comm->rank() == 0) board.arrive(call(Operation::kAllGather, 12), "block 7");
  comm->barrier();

  EXPECT_EQ(board.missing(call(Operation::kAllGather, 12)),
            "rank 1 did not arrive: it is at reduce_scatter #11 (block 6); "
            "rank 2 did not arrive: it has made no call yet");
}

TEST(ArrivalBoard, NamesWhoMadeAnotherCall) {
  const auto comm = make_mpi_communicator(mpi_test_environment(), {.timeout_s = 60});
  if (comm->size() < 3) GTEST_SKIP() << "needs three ranks";
  ArrivalBoard board(*comm);
  board.arrive(call(comm->rank() == 1 ? Operation::kBroadcast : Operation::kAllReduce, 5), "");
  comm->barrier();

  EXPECT_EQ(board.missing(call(Operation::kAllReduce, 5)), "rank 1 called broadcast #5 instead");
}

TEST(ArrivalBoard, SaysWhenAllRanksArrived) {
  const auto comm = make_mpi_communicator(mpi_test_environment(), {.timeout_s = 60});
  ArrivalBoard board(*comm);
  // A rank may be ahead: its calls are only queued on its GPU.
  board.arrive(call(Operation::kAllGather, 3 + comm->rank()), "block 1");
  comm->barrier();

  EXPECT_EQ(board.missing(call(Operation::kAllGather, 3)),
            concat("all ", comm->size(), " ranks arrived, but the GPUs do not go on"));
}

TEST(ArrivalBoard, KeepsTheBeginningOfLongPhases) {
  run_ranks(1, [](Communicator& comm) {
    ArrivalBoard board(comm);
    board.arrive(call(Operation::kBarrier, 1), std::string(200, 'x'));

    EXPECT_THAT(board.missing(call(Operation::kBarrier, 2)),
                testing::HasSubstr("(" + std::string(63, 'x') + ")"));
  });
}

TEST(ArrivalBoard, ServesGroupsOfAGroup) {
  run_ranks(4, [](Communicator& comm) {
    const auto half = comm.split(comm.rank() / 2, "half");
    ArrivalBoard board(*half);
    if (half->rank() == 0) board.arrive(call(Operation::kAllGather, 1), "");
    half->barrier();

    EXPECT_EQ(board.missing(call(Operation::kAllGather, 1)),
              "rank 1 did not arrive: it has made no call yet");
  });
}

}  // namespace
}  // namespace xkde::dist
