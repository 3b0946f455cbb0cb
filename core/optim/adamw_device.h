#ifndef XKDE_CORE_OPTIM_ADAMW_DEVICE_H_
#define XKDE_CORE_OPTIM_ADAMW_DEVICE_H_

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/optim/adamw.h"

namespace xkde {

/// AdamW's update number `step` (from 1) of all `ranges` by LibTorch's fused kernel: one pass over
/// memory, and no wait for the device. fp32 [numel] each, on one device; `gradient` is left
/// multiplied by `gradient_scale`, fp64 [] on the same device.
void adamw_on_device(at::Tensor& master, at::Tensor& exp_avg, at::Tensor& exp_avg_sq,
                     const at::Tensor& gradient, const std::vector<DecayRange>& ranges,
                     const AdamWOptions& options, int64_t step, double learning_rate,
                     const at::Tensor& gradient_scale);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_ADAMW_DEVICE_H_
