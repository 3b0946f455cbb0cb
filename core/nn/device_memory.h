#ifndef XKDE_CORE_NN_DEVICE_MEMORY_H_
#define XKDE_CORE_NN_DEVICE_MEMORY_H_

#include <cstdint>

#include <c10/core/Device.h>

namespace xkde {

/// Bytes that this process has in use: the resident set on a CPU, what LibTorch's allocator has
/// given out on a GPU.
int64_t used_bytes(c10::Device device);
/// The most that used_bytes() has been since the last reset.
int64_t peak_bytes(c10::Device device);
void reset_peak_bytes(c10::Device device);
/// What all processes may use together: host_memory_bytes(), or all of a GPU's memory.
int64_t device_bytes(c10::Device device);

/// How many shapes of bf16 products on a CPU LibTorch and oneDNN keep code for: those of a pass,
/// about; the next pack, with other rows, has others. Both keep 1,024 unless told.
inline constexpr int64_t kCachedProducts = 64;
/// What they keep for one after long trainings, as measured with AVX-512 BF16.
inline constexpr int64_t kCachedProductBytes = 1'700'000;
/// What they keep for so many shapes: nothing where widens_products().
int64_t cached_product_bytes(int64_t shapes);
/// Tells them, by variables of the environment that they read at the first product. A variable that
/// is there stays as it is. No other thread may run.
void limit_product_cache();

}  // namespace xkde

#endif  // XKDE_CORE_NN_DEVICE_MEMORY_H_
