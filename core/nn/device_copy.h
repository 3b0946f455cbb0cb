#ifndef XKDE_CORE_NN_DEVICE_COPY_H_
#define XKDE_CORE_NN_DEVICE_COPY_H_

#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>

namespace xkde {

/// `host` itself for the CPU; else a copy on `device`, which is on its way in the current stream
/// when the call returns: nobody waits for the work before it.
at::Tensor copy_to_device(const at::Tensor& host, at::Device device);

/// `values` as a tensor [n] of their type on `device`, brought there as copy_to_device() does.
template <typename Value>
at::Tensor to_device(const std::vector<Value>& values, at::Device device) {
  return copy_to_device(at::tensor(values), device);
}

}  // namespace xkde

#endif  // XKDE_CORE_NN_DEVICE_COPY_H_
