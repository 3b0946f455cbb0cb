#ifndef XKDE_DISTRIBUTED_SHARDING_SHARD_LAYOUT_H_
#define XKDE_DISTRIBUTED_SHARDING_SHARD_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

namespace xkde::dist {

/// One named tensor inside a unit's flat parameter vector.
struct TensorSlot {
  std::string name;  ///< Hugging Face name
  std::vector<int64_t> shape;
  int64_t offset = 0;  ///< first element in the unit's flat vector
  int64_t numel = 0;
  bool decays = true;  ///< takes weight decay
};

/// A unit's parameters, flattened in order and zero-padded to a multiple of the number of shards.
struct UnitLayout {
  std::string name;
  std::vector<TensorSlot> slots;
  int64_t numel = 0;         ///< without padding
  int64_t shard_numel = 0;   ///< elements of each rank's shard, padding included
  int64_t shard_offset = 0;  ///< where the unit's shard begins in a rank's flat state
};

/// Where every parameter of a model lives: a rank's flat fp32 state is its shards of all units,
/// joined. Rank r's shard of a unit holds the unit's elements [r * shard_numel, (r + 1) *
/// shard_numel).
struct ShardLayout {
  std::vector<UnitLayout> units;
  int num_shards = 1;
  int64_t state_numel = 0;  ///< of one rank's flat state: sum of shard_numel
};

/// A range of consecutive elements of one named tensor that one shard owns.
struct ShardPiece {
  int shard = 0;
  int64_t state_offset = 0;   ///< in the shard's flat state
  int64_t tensor_offset = 0;  ///< in the tensor, row-major
  int64_t numel = 0;
};

/// What the elements of a shard are a multiple of: one cache line.
inline constexpr int64_t kShardAlign = 16;

/// Elements of each of `num_shards` shards of `numel`: a multiple of `align`.
int64_t shard_numel_of(int64_t numel, int num_shards, int64_t align = kShardAlign);

/// Fills offsets: slots in order.
ShardLayout make_layout(std::vector<UnitLayout> units, int num_shards, int64_t align = kShardAlign);

/// The blocks of `block` elements of each unit, whose shards are whole blocks: a slot for each
/// unit, of its name. Blocks are the same for any number of shards. Throws InternalError where
/// shards end within blocks.
ShardLayout blocks_of(const ShardLayout& layout, int64_t block);

/// Where the elements of `slot` lie, in tensor order. Pieces do not overlap and cover the tensor.
std::vector<ShardPiece> pieces_of(const ShardLayout& layout, const UnitLayout& unit,
                                  const TensorSlot& slot);

/// The name of the tensor that element `state_offset` of a shard's flat state belongs to;
/// "padding" where it belongs to none.
std::string tensor_at(const ShardLayout& layout, int shard, int64_t state_offset);

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_SHARD_LAYOUT_H_
