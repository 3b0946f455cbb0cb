#include "distributed/comm/nccl_communicator.h"

#include <chrono>
#include <string>
#include <thread>

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

#include "distributed/comm/gpu_of_rank.h"
#include "distributed/comm/mpi_communicator.h"
#include "tests/distributed/comm/communicator_suite.h"
#include "tests/distributed/comm/mpi_test_environment.h"

namespace xkde::dist {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

bool cuda_loaded() {
  // The GPU half of LibTorch registers itself when it is loaded.
  static void* library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL);
  return library != nullptr && c10::impl::hasDeviceGuardImpl(c10::DeviceType::CUDA);
}

int gpus() {
  return cuda_loaded() ? c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount() : 0;
}

struct Nccl {
  static constexpr bool kChecksCalls = true;
  static std::string why_not() {
    if (!has_nccl()) return "built without NCCL";
    const int needed = mpi_test_environment().local_size();
    if (gpus() >= needed || (gpus() > 0 && ranks_may_share_gpus())) return "";
    return concat("needs ", needed, " GPUs on this host, found ", gpus());
  }
  static at::Device device() {
    const MpiEnvironment& mpi = mpi_test_environment();
    const int own = gpu_of_rank(mpi.local_rank(), mpi.local_size(), gpus(), ranks_may_share_gpus());
    return {at::kCUDA, static_cast<at::DeviceIndex>(own)};
  }
  static void run(const std::function<void(Communicator&)>& run, double timeout_s) {
    run_with(run, {.timeout_s = timeout_s, .check_calls = true, .deterministic = true});
  }
  static void run_with(const std::function<void(Communicator&)>& run, const NcclOptions& options) {
    const auto bootstrap =
        make_mpi_communicator(mpi_test_environment(), {.timeout_s = options.timeout_s});
    const auto comm = make_nccl_communicator(*bootstrap, device().index(), options);
    run(*comm);
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Nccl, CommunicatorSuite, Nccl);

at::Tensor wave(int rank, int64_t numel, at::ScalarType dtype) {
  return at::cos(at::arange(numel, at::kDouble).mul_(0.1).add_(rank)).to(dtype);
}

TEST(NcclCommunicator, NativeSumsAreEqualOnAllRanksAndNearTheTrueOnes) {
  if (const std::string reason = Nccl::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  Nccl::run_with(
      [](Communicator& comm) {
        const int64_t numel = 100'003;
        at::Tensor expected = at::zeros({numel * comm.size()}, at::kDouble);
        for (int r = 0; r < comm.size(); ++r) {
          expected += wave(r, numel * comm.size(), at::kFloat).to(at::kDouble);
        }
        const at::Tensor full =
            wave(comm.rank(), numel * comm.size(), at::kFloat).to(Nccl::device());
        at::Tensor shard = at::zeros({numel}, full.options());
        at::Tensor whole = full.clone();

        comm.reduce_scatter(shard, full, ReduceOp::kSum)->wait();
        comm.all_reduce(whole, ReduceOp::kSum)->wait();

        const auto error = [](const at::Tensor& a, const at::Tensor& b) {
          return (a.cpu().to(at::kDouble) - b).abs().max().item<double>();
        };
        // One rounding of fp32 for each rank.
        EXPECT_LT(error(shard, expected.narrow(0, comm.rank() * numel, numel)), 1e-6 * comm.size());
        EXPECT_LT(error(whole, expected), 1e-6 * comm.size());
        const at::Tensor bits = whole.cpu();
        const std::string own(static_cast<const char*>(bits.const_data_ptr()), bits.nbytes());
        for (const auto& other : comm.all_gather_bytes(own)) EXPECT_TRUE(other == own);
      },
      {.timeout_s = 60});
}

TEST(NcclCommunicator, TimeOutsNameWhoDidNotArriveAndWhere) {
  if (const std::string reason = Nccl::why_not(); !reason.empty()) GTEST_SKIP() << reason;
  if (mpi_test_environment().size() == 1) GTEST_SKIP() << "needs two ranks";
  const auto bootstrap = make_mpi_communicator(mpi_test_environment(), {.timeout_s = 60});
  {
    const auto comm = make_nccl_communicator(*bootstrap, Nccl::device().index(), {.timeout_s = 5});
    at::Tensor sum = at::ones({8}, at::TensorOptions().device(Nccl::device()));
    comm->all_reduce(sum, ReduceOp::kSum)->wait();
    comm->set_phase("block 7");
    if (comm->rank() != 1) {
      const auto message = message_of<CommError>([&] {
        const auto work = comm->all_reduce(sum, ReduceOp::kSum);
        for (int i = 0; i < 600; ++i) {
          std::this_thread::sleep_for(std::chrono::milliseconds(100));
          work->wait();
        }
      });

      EXPECT_THAT(message, HasSubstr("all_reduce #2 (block 7) did not end within 5 s: rank 1 did "
                                     "not arrive: it is at all_reduce #1"));
    }
    bootstrap->barrier();
  }
}

TEST(NcclCommunicator, SaysWhatIsMissingWithoutAGpu) {
  if (gpus() > 0) GTEST_SKIP() << "this host has a GPU";
  const auto bootstrap = make_mpi_communicator(mpi_test_environment(), {.timeout_s = 60});

  const auto message = message_of<DeviceError>([&] { make_nccl_communicator(*bootstrap, 0); });

  EXPECT_THAT(message, HasSubstr("group world on GPU 0: "));
  EXPECT_THAT(message, AnyOf(HasSubstr("built without NCCL"), HasSubstr("libnccl.so.2"),
                             HasSubstr("libtorch_cuda.so"), HasSubstr("found 0 GPUs")));
}

}  // namespace
}  // namespace xkde::dist
