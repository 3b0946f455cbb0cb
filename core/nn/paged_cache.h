#ifndef XKDE_CORE_NN_PAGED_CACHE_H_
#define XKDE_CORE_NN_PAGED_CACHE_H_

#include <memory>

#include "core/nn/kv_cache.h"

namespace xkde {

/// A cache in host memory: fp32 pages that grow with the sequences. A prompt is kept once for all
/// its answers and read once for all their queries. A row's result depends on its own sequence
/// only, bit for bit. Takes fp32 and bf16 rows.
std::unique_ptr<KvCache> make_paged_cache(const KvCacheShape& shape);

}  // namespace xkde

#endif  // XKDE_CORE_NN_PAGED_CACHE_H_
