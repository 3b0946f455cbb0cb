#ifndef XKDE_CORE_NN_SLOT_CACHE_H_
#define XKDE_CORE_NN_SLOT_CACHE_H_

#include <memory>

#include "core/nn/kv_cache.h"

namespace xkde {

/// A cache for any device and float dtype: a fixed place for the whole sequence of each answer
/// slot. Steps of one number of rows read and write tensors at the same places, and attend() gives
/// the device nothing but kernels, so such a step can be recorded
/// (core/generate/work_recorder.h).
std::unique_ptr<KvCache> make_slot_cache(const KvCacheShape& shape, at::ScalarType dtype,
                                         at::Device device);

}  // namespace xkde

#endif  // XKDE_CORE_NN_SLOT_CACHE_H_
