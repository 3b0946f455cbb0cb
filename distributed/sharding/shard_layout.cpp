#include "distributed/sharding/shard_layout.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace xkde::dist {

int64_t shard_numel_of(int64_t numel, int num_shards, int64_t align) {
  const int64_t stride = align * num_shards;
  return (numel + stride - 1) / stride * align;
}

ShardLayout make_layout(std::vector<UnitLayout> units, int num_shards, int64_t align) {
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
    unit.shard_numel = shard_numel_of(unit.numel, num_shards, align);
    unit.shard_offset = layout.state_numel;
    layout.state_numel += unit.shard_numel;
  }
  layout.units = std::move(units);
  return layout;
}

ShardLayout blocks_of(const ShardLayout& layout, int64_t block) {
  ShardLayout blocks;
  blocks.num_shards = layout.num_shards;
  blocks.state_numel = layout.state_numel / block;
  for (const UnitLayout& unit : layout.units) {
    XKDE_CHECK(unit.shard_numel % block == 0, InternalError, unit.name, ": shards of ",
               unit.shard_numel, " elements in blocks of ", block);
    const int64_t numel = (unit.numel + block - 1) / block;
    blocks.units.push_back({.name = unit.name,
                            .slots = {{.name = unit.name, .shape = {numel}, .numel = numel}},
                            .numel = numel,
                            .shard_numel = unit.shard_numel / block,
                            .shard_offset = unit.shard_offset / block});
  }
  return blocks;
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
