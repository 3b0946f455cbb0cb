#ifndef XKDE_CORE_NN_MATMUL_RATE_H_
#define XKDE_CORE_NN_MATMUL_RATE_H_

#include <ATen/core/Tensor.h>

namespace xkde {

/// Floating-point operations a second of this process on a matrix product of 1024^3, on a GPU of
/// 8192^3 with random values: best of several, a tenth of a second or more in all. The "speed of
/// light" that a step's time is compared with.
double measure_matmul_rate(at::ScalarType dtype, at::Device device);

}  // namespace xkde

#endif  // XKDE_CORE_NN_MATMUL_RATE_H_
