#include "distributed/sharding/shard_layout.h"

#include <algorithm>
#include <utility>

namespace xkde::dist {

int64_t shard_numel_of(int64_t numel, int num_shards) {
  constexpr int64_t kAlign = 16;
  const int64_t stride = kAlign * num_shards;
  return (numel + stride - 1) / stride * kAlign;
}

ShardLayout make_layout(std::vector<UnitLayout> units, int num_shards) {
  ShardLayout layout;
  layout.num_shards = num_shards;
  for (UnitLayout& unit : units) {
    unit.numel = 0;
    for (TensorSlot& slot : unit.slots) {
      slot.numel = 1;
      for (const int64_t extent : slot.shape) slot.numel *= extent;
      slot.offset = unit.numel;
      unit.numel += slot.numel;
    }
    unit.shard_numel = shard_numel_of(unit.numel, num_shards);
    unit.shard_offset = layout.state_numel;
    layout.state_numel += unit.shard_numel;
  }
  layout.units = std::move(units);
  return layout;
}

std::vector<ShardPiece> pieces_of(const ShardLayout& layout, const UnitLayout& unit,
                                  const TensorSlot& slot) {
  std::vector<ShardPiece> pieces;
  const int64_t end = slot.offset + slot.numel;
  if (slot.numel == 0) return pieces;
  const auto first = static_cast<int>(slot.offset / unit.shard_numel);
  for (int shard = first; shard < layout.num_shards; ++shard) {
    const int64_t begin = std::max(slot.offset, shard * unit.shard_numel);
    const int64_t stop = std::min(end, (shard + 1) * unit.shard_numel);
    if (begin >= stop) break;
    pieces.push_back({.shard = shard,
                      .state_offset = unit.shard_offset + begin - shard * unit.shard_numel,
                      .tensor_offset = begin - slot.offset,
                      .numel = stop - begin});
  }
  return pieces;
}

std::string tensor_at(const ShardLayout& layout, int shard, int64_t state_offset) {
  for (const UnitLayout& unit : layout.units) {
    const int64_t inside = state_offset - unit.shard_offset;
    if (inside < 0 || inside >= unit.shard_numel) continue;
    const int64_t element = shard * unit.shard_numel + inside;
    for (const TensorSlot& slot : unit.slots) {
      if (element >= slot.offset && element < slot.offset + slot.numel) return slot.name;
    }
  }
  return "padding";
}

}  // namespace xkde::dist
