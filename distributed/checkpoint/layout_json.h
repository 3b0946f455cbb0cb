#ifndef XKDE_DISTRIBUTED_CHECKPOINT_LAYOUT_JSON_H_
#define XKDE_DISTRIBUTED_CHECKPOINT_LAYOUT_JSON_H_

#include "core/io/json_file.h"
#include "core/text/regex/json_place.h"
#include "distributed/sharding/shard_layout.h"

namespace xkde::dist {

/// A layout as manifest.json has it.
Json layout_json(const ShardLayout& layout);

/// Reads a layout that may be forged. Throws DataError that names the place in the file, what was
/// expected and what was found, unless everything fits: names are there once, a tensor has as many
/// elements as its shape says, tensors follow each other in their unit and units in the state
/// without holes and overlaps, and the shards hold the whole unit. It has `num_shards` shards of at
/// most `most_state_numel` elements.
ShardLayout layout_from_json(const JsonPlace& place, int num_shards, int64_t most_state_numel);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_CHECKPOINT_LAYOUT_JSON_H_
