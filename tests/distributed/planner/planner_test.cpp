#include "distributed/planner/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "benchmarks/published_curves.h"
#include "core/base/error.h"

namespace xkde::dist {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Llama-2-7B on eight H100 with 8192 tokens each.
PlanRequest seven_billion() {
  PlanRequest request;
  request.model = llama_shape(32, 4096, 11008, 32, 32, 32000, false);
  request.ranks = 8;
  request.options = {.compute_dtype = c10::kBFloat16, .prefetch = 1, .device = c10::kCUDA};
  request.largest = {.tokens = 8192, .labels = 8192, .pairs = 4096 * 4097};
  request.work = dense_work(8192, 4096);
  request.machine = machine_preset("h100").machine;
  request.available_bytes = static_cast<int64_t>(80e9);
  request.pack_key = "orpo.max_tokens_per_pack";
  return request;
}

std::string refusal_of(const PlanRequest& request) {
  try {
    choose_plan(request);
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::kBadRecipe);
    return error.what();
  }
  return "no error";
}

TEST(Planner, KeepsWhatTheRecipeSays) {
  PlanRequest request = seven_billion();
  request.shard = ShardMode::kFull;
  request.recompute = Recompute::kBlock;

  const Plan plan = choose_plan(request);

  EXPECT_EQ(plan.options.shard, ShardMode::kFull);
  EXPECT_EQ(plan.options.recompute, Recompute::kBlock);
  EXPECT_EQ(plan.reason, "as the recipe says");
}

TEST(Planner, TakesTheFastestThatFits) {
  const PlanRequest request = seven_billion();

  const Plan plan = choose_plan(request);

  EXPECT_LE(plan.memory.peak(), request.available_bytes);
  for (const Plan& other : possible_plans(request)) {
    if (other.memory.peak() > request.available_bytes) continue;
    EXPECT_LE(plan.seconds.total(), 1.02 * other.seconds.total());
  }
  EXPECT_EQ(plan.options.recompute, Recompute::kNone);
  EXPECT_NE(plan.options.shard, ShardMode::kNone);  // 16 bytes a parameter are 108 GB
}

TEST(Planner, RecomputesOnlyWhereMemoryIsShort) {
  PlanRequest request = seven_billion();
  request.shard = ShardMode::kFull;
  const std::vector<Plan> plans = possible_plans(request);
  ASSERT_EQ(plans.size(), 2U);
  ASSERT_LT(plans[1].memory.peak(), plans[0].memory.peak());

  request.available_bytes = plans[0].memory.peak();
  EXPECT_EQ(choose_plan(request).options.recompute, Recompute::kNone);
  request.available_bytes = plans[0].memory.peak() - 1;
  const Plan plan = choose_plan(request);

  EXPECT_EQ(plan.options.recompute, Recompute::kBlock);
  EXPECT_THAT(plan.reason, HasSubstr("recompute none needs"));
}

TEST(Planner, PrefersResidentWeightsForShortSteps) {
  PlanRequest request = seven_billion();
  request.work = dense_work(112, 112);  // one short sample a GPU
  request.largest = {.tokens = 112, .labels = 10, .pairs = 112 * 113 / 2};

  const Plan plan = choose_plan(request);

  EXPECT_NE(plan.options.shard, ShardMode::kFull);
  EXPECT_EQ(plan.options.recompute, Recompute::kNone);
}

TEST(Planner, OneRankHasNothingToShard) {
  PlanRequest request = seven_billion();
  request.ranks = 1;
  request.available_bytes = static_cast<int64_t>(1e12);

  EXPECT_EQ(possible_plans(request).size(), 2U);
}

TEST(Planner, CopiesAreInShards) {
  PlanRequest request = seven_billion();
  request.options.replicate = 2;

  for (const Plan& plan : possible_plans(request)) {
    EXPECT_NE(plan.options.shard, ShardMode::kNone);
    EXPECT_EQ(plan.options.num_shards(request.ranks), 4);
  }
}

TEST(Planner, RefusesWithBytesAndTheKeysThatHelp) {
  PlanRequest request = seven_billion();
  request.shard = ShardMode::kGrads;
  request.recompute = Recompute::kNone;
  request.available_bytes = 1000000000;
  const int64_t needed = possible_plans(request).front().memory.peak();

  const std::string message = refusal_of(request);

  EXPECT_THAT(message, HasSubstr("needs " + std::to_string(needed) + " bytes"));
  EXPECT_THAT(message, HasSubstr("available are 1000000000"));
  EXPECT_THAT(message, HasSubstr("parallel.shard=full"));
  EXPECT_THAT(message, HasSubstr("parallel.recompute=block"));
  EXPECT_THAT(message, HasSubstr("parallel.offload_optimizer=true"));
  EXPECT_THAT(message, HasSubstr("a smaller orpo.max_tokens_per_pack"));
  EXPECT_THAT(message, HasSubstr("more ranks"));
}

TEST(Planner, DoesNotAdviseWhatIsAlreadyDone) {
  PlanRequest request = seven_billion();
  request.shard = ShardMode::kFull;
  request.recompute = Recompute::kBlock;
  request.options.device = c10::kCPU;  // where the optimizer is at home
  request.available_bytes = 1000;

  const std::string message = refusal_of(request);

  EXPECT_THAT(message, Not(HasSubstr("parallel.shard=full")));
  EXPECT_THAT(message, Not(HasSubstr("parallel.recompute")));
  EXPECT_THAT(message, Not(HasSubstr("offload")));
}

TEST(Planner, WritesDecimalGigabytes) { EXPECT_EQ(in_gigabytes(1250000000), "1.25 GB"); }

}  // namespace
}  // namespace xkde::dist
