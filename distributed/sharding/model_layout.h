#ifndef XKDE_DISTRIBUTED_SHARDING_MODEL_LAYOUT_H_
#define XKDE_DISTRIBUTED_SHARDING_MODEL_LAYOUT_H_

#include <vector>

#include "core/model/decoder.h"
#include "core/model/lora.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// All parameters of a decoder, in its units.
ShardLayout layout_of(const Decoder& decoder, int num_shards, int64_t align = kShardAlign);

/// The matrices of an adapter: a unit for each block. All take weight decay, as in transformers.
ShardLayout layout_of(const std::vector<LoraBlock>& blocks, int num_shards,
                      int64_t align = kShardAlign);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_MODEL_LAYOUT_H_
