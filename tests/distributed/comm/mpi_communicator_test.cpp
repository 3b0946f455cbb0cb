#include "distributed/comm/mpi_communicator.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "core/base/stopwatch.h"
#include "distributed/comm/mpi_environment.h"
#include "distributed/comm/mpi_handles.h"
#include "tests/distributed/comm/communicator_suite.h"
#include "tests/distributed/comm/mpi_test_environment.h"
#include "tests/support/temp_folder.h"

namespace xkde::dist {
namespace {

using ::testing::HasSubstr;

template <MpiTransport kTransport, int64_t kChunkBytes>
struct Mpi {
  static constexpr bool kChecksCalls = true;
  static std::string why_not() { return ""; }
  static at::Device device() { return at::kCPU; }
  static std::unique_ptr<Communicator> make(double timeout_s) {
    return make_mpi_communicator(
        mpi_test_environment(),
        {.timeout_s = timeout_s, .chunk_bytes = kChunkBytes, .transport = kTransport});
  }
  static void run(const std::function<void(Communicator&)>& run, double timeout_s) {
    const auto comm = make(timeout_s);
    run(*comm);
  }
};

using SharedMemory = Mpi<MpiTransport::kSharedMemory, 1 << 18>;
using SmallChunks = Mpi<MpiTransport::kSharedMemory, 4096>;
using Messages = Mpi<MpiTransport::kMessages, 1 << 18>;
using Transports = ::testing::Types<SharedMemory, SmallChunks, Messages>;
INSTANTIATE_TYPED_TEST_SUITE_P(Mpi, CommunicatorSuite, Transports);

static_assert(std::is_nothrow_move_constructible_v<MpiEnvironment>);
static_assert(std::is_nothrow_move_assignable_v<MpiEnvironment>);
static_assert(!std::is_copy_constructible_v<MpiEnvironment>);
static_assert(!std::is_copy_assignable_v<MpiEnvironment>);
static_assert(std::is_nothrow_move_constructible_v<MpiComm>);
static_assert(std::is_nothrow_move_assignable_v<MpiComm>);
static_assert(!std::is_copy_constructible_v<MpiComm>);

TEST(MpiEnvironment, RanksAndHostsFitTogether) {
  const MpiEnvironment& environment = mpi_test_environment();

  EXPECT_LT(environment.rank(), environment.size());
  EXPECT_LT(environment.local_rank(), environment.local_size());
  EXPECT_LE(environment.local_size(), environment.size());
  EXPECT_EQ(environment.hostnames().size(), static_cast<size_t>(environment.size()));
  for (const auto& host : environment.hostnames()) EXPECT_FALSE(host.empty());
}

TEST(MpiEnvironment, IsMadeOnceInAProcess) {
  EXPECT_EQ(message_of<InternalError>([] { const MpiEnvironment second; }),
            "MPI is initialised already");
}

TEST(MpiComm, FailuresCarryMpisWords) {
  EXPECT_THAT(message_of<CommError>([] { mpi_check(MPI_ERR_COUNT, "MPI_Bcast"); }),
              HasSubstr("MPI_Bcast: MPI_ERR_COUNT"));
}

template <typename Transport>
class MpiTransportTest : public ::testing::Test {};
TYPED_TEST_SUITE(MpiTransportTest, Transports);

TYPED_TEST(MpiTransportTest, MissingRanksAreNamedAfterTheTimeOut) {
  // All but the last must be there before the first gives up, with few processors for many ranks.
  const auto comm = TypeParam::make(1);
  if (comm->size() == 1) GTEST_SKIP() << "needs two ranks";
  const int last = comm->size() - 1;
  if (comm->rank() == last) return;
  comm->set_phase("block 7");

  const auto message = message_of<CommError>([&] {
    auto full = at::zeros({comm->size()});
    (void)comm->all_gather(full, at::zeros({1}));
  });

  // Who gives up a little later hears of the first who did.
  EXPECT_THAT(message, ::testing::AllOf(HasSubstr("all_gather #1 (block 7)"),
                                        ::testing::ContainsRegex(concat(
                                            "rank ", last, " (\\([^)]+\\) )?did not arrive"))));
}

TYPED_TEST(MpiTransportTest, TicketsComeWhileRankZeroComputes) {
  const auto comm = TypeParam::make(60);
  if (comm->size() == 1) GTEST_SKIP() << "needs two ranks";
  comm->reset_counter();
  const test::TempFolder own;
  const std::filesystem::path folder = comm->broadcast_bytes(own.path().string(), 0);
  if (comm->rank() == 0) {
    // The others say by files that they are done: MPI, were it called, would answer them.
    const Stopwatch stopwatch;
    for (int r = 1; r < comm->size(); ++r) {
      const auto file = folder / std::to_string(r);
      while (!std::filesystem::exists(file) && stopwatch.seconds() < 30) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      EXPECT_TRUE(std::filesystem::exists(file)) << "rank " << r << " has not got its tickets";
    }
  } else {
    for (int i = 0; i < 10; ++i) (void)comm->next_ticket();
    std::ofstream(folder / std::to_string(comm->rank())) << "done";
  }
  comm->barrier();
}

TYPED_TEST(MpiTransportTest, UnwindingDoesNotWaitForOthers) {
  // Each rank leaves its group by an exception at its own time.
  Stopwatch unwinding;
  EXPECT_THROW(
      {
        const auto comm = TypeParam::make(60);
        unwinding.restart();
        throw std::runtime_error("left");
      },
      std::runtime_error);
  EXPECT_LT(unwinding.seconds(), 20);
}

}  // namespace
}  // namespace xkde::dist
