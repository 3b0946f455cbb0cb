#include "distributed/sharding/shard_policy.h"

#include <gtest/gtest.h>

#include "distributed/sharding/engine_options.h"

namespace xkde::dist {
namespace {

// docs/decisions/0001-sharded-engine.md: one mesh and two questions.
TEST(ShardPolicy, ModesDifferInWhatStaysAndWhenGradientsAreReduced) {
  EXPECT_FALSE(policy_of(ShardMode::kFull).weights_stay);
  EXPECT_TRUE(policy_of(ShardMode::kGrads).weights_stay);
  EXPECT_EQ(policy_of(ShardMode::kGrads).reduce_when, ReduceWhen::kEachPack);
  EXPECT_EQ(policy_of(ShardMode::kOptimizer).reduce_when, ReduceWhen::kLastPack);
  EXPECT_FALSE(policy_of(ShardMode::kNone).shards);
}

TEST(ShardPolicy, NamesAreThoseOfARecipe) {
  for (const ShardPolicy& policy : kShardPolicies) {
    EXPECT_EQ(value_of(kShardPolicies, policy.name), policy.value);
  }
  EXPECT_EQ(value_of(kShardPolicies, "zero3"), std::nullopt);
}

TEST(ShardPolicy, WithoutShardsEveryRankIsACopy) {
  const EngineOptions none{.shard = ShardMode::kNone};
  const EngineOptions two_copies{.shard = ShardMode::kFull, .replicate = 2};

  EXPECT_EQ(none.num_copies(8), 8);
  EXPECT_EQ(none.num_shards(8), 1);
  EXPECT_EQ(two_copies.num_copies(8), 2);
  EXPECT_EQ(two_copies.num_shards(8), 4);
}

}  // namespace
}  // namespace xkde::dist
