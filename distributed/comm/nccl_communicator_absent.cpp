#include "core/base/error.h"
#include "distributed/comm/nccl_communicator.h"

namespace xkde::dist {

bool has_nccl() noexcept { return false; }

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& /*bootstrap*/, int device,
                                                     NcclOptions options) {
  throw DeviceError(concat("group ", options.group, " on GPU ", device,
                           ": this program was built without NCCL (nccl.h or "
                           "cuda_runtime_api.h was not found)"));
}

}  // namespace xkde::dist
