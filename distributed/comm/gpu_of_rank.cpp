#include "distributed/comm/gpu_of_rank.h"

#include <cstdlib>
#include <string_view>

#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "core/base/error.h"

namespace xkde::dist {

int gpu_of_rank(int local_rank, int local_size, int gpus, bool may_share) {
  XKDE_CHECK(gpus > 0, DeviceError, "expected a GPU, found none");
  XKDE_CHECK(local_size <= gpus || may_share, DeviceError, "expected a GPU for each of the ",
             local_size, " ranks of this host, found ", gpus,
             " (NCCL 2.30 and later let ranks share one with NCCL_MULTI_RANK_GPU_ENABLE=1)");
  return local_rank % gpus;
}

int gpu_of_rank(int local_rank, int local_size) {
  const int gpus = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->deviceCount();
  return gpu_of_rank(local_rank, local_size, gpus, ranks_may_share_gpus());
}

bool ranks_may_share_gpus() {
  const char* value = std::getenv("NCCL_MULTI_RANK_GPU_ENABLE");
  return value != nullptr && std::string_view(value) != "0" && !std::string_view(value).empty();
}

}  // namespace xkde::dist
