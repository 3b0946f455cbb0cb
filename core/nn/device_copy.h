#ifndef XKDE_CORE_NN_DEVICE_COPY_H_
#define XKDE_CORE_NN_DEVICE_COPY_H_

#include <ATen/core/Tensor.h>

namespace xkde {

/// `host` itself for the CPU; else a copy on `device`, which is on its way in the current stream
/// when the call returns: nobody waits for the work before it.
at::Tensor copy_to_device(const at::Tensor& host, at::Device device);

}  // namespace xkde

#endif  // XKDE_CORE_NN_DEVICE_COPY_H_
