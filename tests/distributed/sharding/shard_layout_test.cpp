#include "distributed/sharding/shard_layout.h"

#include <utility>

#include <gtest/gtest.h>

namespace xkde::dist {
namespace {

UnitLayout unit_of(const std::vector<std::vector<int64_t>>& shapes) {
  UnitLayout unit;
  for (const auto& shape : shapes) {
    TensorSlot slot;
    slot.name = "tensor " + std::to_string(unit.slots.size());
    slot.shape = shape;
    unit.slots.push_back(std::move(slot));
  }
  return unit;
}

TEST(ShardLayout, JoinsTensorsInOrder) {
  const ShardLayout layout = make_layout({unit_of({{3, 4}, {5}, {2, 2, 2}})}, 1);

  const UnitLayout& unit = layout.units[0];

  EXPECT_EQ(unit.numel, 25);
  EXPECT_EQ(unit.slots[0].offset, 0);
  EXPECT_EQ(unit.slots[1].offset, 12);
  EXPECT_EQ(unit.slots[1].numel, 5);
  EXPECT_EQ(unit.slots[2].offset, 17);
}

TEST(ShardLayout, PadsShardsToCacheLines) {
  for (const int shards : {1, 2, 3, 4, 7}) {
    const ShardLayout layout =
        make_layout({unit_of({{33}}), unit_of({{1}}), unit_of({{640}})}, shards);

    int64_t offset = 0;
    for (const UnitLayout& unit : layout.units) {
      EXPECT_EQ(unit.shard_numel % 16, 0);
      EXPECT_GE(unit.shard_numel * shards, unit.numel);
      EXPECT_LT((unit.shard_numel - 16) * shards, unit.numel);
      EXPECT_EQ(unit.shard_offset, offset);
      offset += unit.shard_numel;
    }
    EXPECT_EQ(layout.state_numel, offset);
    EXPECT_EQ(layout.num_shards, shards);
  }
}

TEST(ShardLayout, PiecesCoverEachTensorInOrder) {
  for (const int shards : {1, 2, 3, 4, 5}) {
    const ShardLayout layout =
        make_layout({unit_of({{7, 9}, {1}, {40}}), unit_of({{100}})}, shards);

    for (const UnitLayout& unit : layout.units) {
      for (const TensorSlot& slot : unit.slots) {
        int64_t covered = 0;
        int shard = -1;
        for (const ShardPiece& piece : pieces_of(layout, unit, slot)) {
          EXPECT_EQ(piece.tensor_offset, covered);
          EXPECT_GT(piece.numel, 0);
          EXPECT_GT(piece.shard, shard);
          EXPECT_GE(piece.state_offset, unit.shard_offset);
          EXPECT_LE(piece.state_offset + piece.numel, unit.shard_offset + unit.shard_numel);
          // The same element, counted in the unit's flat vector from both sides.
          EXPECT_EQ(piece.state_offset - unit.shard_offset + piece.shard * unit.shard_numel,
                    slot.offset + piece.tensor_offset);
          covered += piece.numel;
          shard = piece.shard;
        }
        EXPECT_EQ(covered, slot.numel);
      }
    }
  }
}

TEST(ShardLayout, AnEmptyTensorHasNoPieces) {
  const ShardLayout layout = make_layout({unit_of({{4}, {0, 3}, {4}})}, 2);

  EXPECT_TRUE(pieces_of(layout, layout.units[0], layout.units[0].slots[1]).empty());
  EXPECT_EQ(layout.units[0].slots[2].offset, 4);
}

TEST(ShardLayout, MoreShardsThanElementsLeaveSomeEmpty) {
  const ShardLayout layout = make_layout({unit_of({{20}})}, 4);

  const auto pieces = pieces_of(layout, layout.units[0], layout.units[0].slots[0]);

  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_EQ(pieces[0].numel, 16);
  EXPECT_EQ(pieces[1].shard, 1);
  EXPECT_EQ(pieces[1].numel, 4);
}

}  // namespace
}  // namespace xkde::dist
