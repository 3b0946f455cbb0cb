#include "core/nn/device_copy.h"

#include <ATen/ATen.h>

namespace xkde {

at::Tensor copy_to_device(const at::Tensor& host, at::Device device) {
  if (device.is_cpu()) return host;
  // From pageable memory the call would wait for the stream. LibTorch keeps the pinned block until
  // the copy is done.
  return host.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace xkde
