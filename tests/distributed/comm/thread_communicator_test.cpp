#include "distributed/comm/thread_communicator.h"

#include <stdexcept>
#include <type_traits>

#include "distributed/comm/collective_call.h"
#include "tests/distributed/comm/communicator_suite.h"

namespace xkde::dist {
namespace {

using ::testing::HasSubstr;

template <int kSize, int64_t kChunkBytes>
struct Threads {
  static constexpr bool kChecksCalls = true;
  static std::string why_not() { return ""; }
  static at::Device device() { return at::kCPU; }
  static void run(const std::function<void(Communicator&)>& run, double timeout_s) {
    run_ranks(kSize, run, {.group = "threads", .timeout_s = timeout_s, .chunk_bytes = kChunkBytes});
  }
};

// One size has chunks of a page, so that each collective takes many phases.
using Sizes = ::testing::Types<Threads<1, 1 << 18>, Threads<2, 1 << 18>, Threads<3, 4096>,
                               Threads<4, 1 << 18>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Thread, CommunicatorSuite, Sizes);

static_assert(!std::is_copy_constructible_v<ThreadGroup>);
static_assert(std::is_nothrow_move_constructible_v<ThreadGroup>);

TEST(ThreadGroup, NamesItsBackendRanksAndSize) {
  ThreadGroup group(3);

  const auto comm = group.communicator(2);

  EXPECT_EQ(comm->backend(), "thread");
  EXPECT_EQ(comm->rank(), 2);
  EXPECT_EQ(comm->size(), 3);
}

TEST(ThreadGroup, RefusesChunksTooSmallForItsRanks) {
  ThreadGroup group(4, {.chunk_bytes = 100});

  EXPECT_THAT(message_of<InternalError>([&] { (void)group.communicator(0); }),
              HasSubstr("chunk_bytes: expected at least 256, found 100"));
}

TEST(ThreadGroup, MissingRanksAreNamedAfterTheTimeOut) {
  ThreadGroup group(3, {.group = "late", .timeout_s = 0.05});
  const auto comm = group.communicator(1);
  const auto other = group.communicator(0);

  EXPECT_EQ(message_of<CommError>([&] { comm->barrier(); }),
            "group late: rank 0, 2 did not arrive at barrier #1 within 0.05 s");
  // Who comes later does not wait for those who gave up.
  EXPECT_THAT(message_of<CommError>([&] { other->barrier(); }),
              HasSubstr("rank 1 failed with exit code 81"));
}

TEST(ThreadGroup, TimeOutsNameThePhase) {
  ThreadGroup group(2, {.group = "late", .timeout_s = 0.05});
  const auto comm = group.communicator(0);
  comm->set_phase("block 7");

  EXPECT_EQ(message_of<CommError>([&] { comm->barrier(); }),
            "group late: rank 1 did not arrive at barrier #1 (block 7) within 0.05 s");
}

TEST(ThreadGroup, TimeOutsNameTheStep) {
  ThreadGroup group(2, {.group = "late", .timeout_s = 0.05});
  const auto comm = group.communicator(0);
  comm->set_phase("block 7");
  comm->set_step("02-sft step 41");

  EXPECT_EQ(
      message_of<CommError>([&] { comm->barrier(); }),
      "group late: rank 1 did not arrive at barrier #1 (block 7, 02-sft step 41) within 0.05 s");
}

TEST(ThreadGroup, OneNoteSaysWhereARankIsInAllItsGroups) {
  run_ranks(2, [](Communicator& comm) {
    EXPECT_EQ(title(comm.note()->read()), "no collective yet");
    const auto half = comm.split(0, "half");
    comm.set_step("02-sft step 41");
    half->set_phase("block 7");

    half->barrier();

    EXPECT_EQ(title(comm.note()->read()), "barrier #1 (block 7) of group half, 02-sft step 41");
    EXPECT_EQ(half->note(), comm.note());
  });
}

TEST(ThreadGroup, AbortEndsTheWaitOfAllOthers) {
  run_ranks(4, [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 2) return comm.abort(65);

    const auto message = message_of<CommError>([&] {
      auto tensor = at::ones({5});
      (void)comm.all_reduce(tensor, ReduceOp::kSum);
    });

    EXPECT_THAT(message, HasSubstr("rank 2 failed with exit code 65"));
    EXPECT_THAT(message, HasSubstr("at all_reduce #2"));
  });
}

TEST(RunRanks, RethrowsTheErrorThatCameFirst) {
  const auto run = [](Communicator& comm) {
    comm.barrier();
    if (comm.rank() == 1) throw DataError("records.json: not a list");
    comm.barrier();
  };

  EXPECT_EQ(message_of<DataError>([&] { run_ranks(3, run); }), "records.json: not a list");
}

TEST(RunRanks, RethrowsForeignExceptions) {
  const auto run = [](Communicator& comm) {
    if (comm.rank() == 0) throw std::out_of_range("index");
    comm.barrier();
  };

  EXPECT_THROW(run_ranks(2, run), std::out_of_range);
}

}  // namespace
}  // namespace xkde::dist
