#include "core/nn/device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <ATen/DeviceAccelerator.h>

#include "core/base/process_memory.h"
#include "core/nn/products.h"

namespace xkde {
namespace {

auto allocator_stats(c10::Device device) {
  const auto stats = at::accelerator::getDeviceStats(device.index());
  return stats.allocated_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)];
}

}  // namespace

int64_t used_bytes(c10::Device device) {
  return device.is_cpu() ? resident_bytes() : allocator_stats(device).current;
}

int64_t peak_bytes(c10::Device device) {
  return device.is_cpu() ? peak_resident_bytes() : allocator_stats(device).peak;
}

void reset_peak_bytes(c10::Device device) {
  if (device.is_cpu()) return reset_peak_resident_bytes();
  at::accelerator::resetPeakStats(device.index());
}

int64_t device_bytes(c10::Device device) {
  if (device.is_cpu()) return host_memory_bytes();
  return static_cast<int64_t>(at::accelerator::getMemoryInfo(device.index()).second);
}

int64_t cached_product_bytes(int64_t shapes) {
  return widens_products() ? 0 : std::min(kCachedProducts, shapes) * kCachedProductBytes;
}

void limit_product_cache() {
  const std::string count = std::to_string(kCachedProducts);
  // Of LibTorch (ideep) and of oneDNN.
  for (const char* name : {"LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY"})
    ::setenv(name, count.c_str(), /*overwrite=*/0);
}

}  // namespace xkde
