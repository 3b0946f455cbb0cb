#include "distributed/nccl_communicator.h"

#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>

#include "distributed/mpi_communicator.h"
#include "tests/distributed/communicator_suite.h"
#include "tests/distributed/mpi_test_environment.h"

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
    if (gpus() >= needed) return "";
    return concat("needs ", needed, " GPUs on this host, found ", gpus());
  }
  static at::Device device() {
    return {at::kCUDA, static_cast<at::DeviceIndex>(mpi_test_environment().local_rank())};
  }
  static void run(const std::function<void(Communicator&)>& run, double timeout_s) {
    const auto bootstrap = make_mpi_communicator(mpi_test_environment(), {.timeout_s = timeout_s});
    const auto comm = make_nccl_communicator(*bootstrap, device().index(),
                                             {.timeout_s = timeout_s, .check_calls = true});
    run(*comm);
  }
};

INSTANTIATE_TYPED_TEST_SUITE_P(Nccl, CommunicatorSuite, Nccl);

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
