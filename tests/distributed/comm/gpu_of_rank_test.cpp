#include "distributed/comm/gpu_of_rank.h"

#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"

namespace xkde::dist {
namespace {

std::string refusal(int local_size, int gpus, bool may_share) {
  try {
    gpu_of_rank(0, local_size, gpus, may_share);
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "no error";
}

TEST(GpuOfRank, IsTheOwnOneWhereThereAreEnough) {
  EXPECT_EQ(gpu_of_rank(0, 1, 8, false), 0);
  EXPECT_EQ(gpu_of_rank(7, 8, 8, false), 7);
}

TEST(GpuOfRank, GoesRoundTheGpusOnlyWhereRanksMayShare) {
  EXPECT_EQ(gpu_of_rank(5, 6, 4, true), 1);
  EXPECT_THAT(refusal(6, 4, false),
              testing::HasSubstr("expected a GPU for each of the 6 ranks of this host, found 4"));
  EXPECT_EQ(refusal(1, 0, true), "expected a GPU, found none");
}

TEST(GpuOfRank, SharingIsAskedForByTheEnvironment) {
  unsetenv("NCCL_MULTI_RANK_GPU_ENABLE");
  EXPECT_FALSE(ranks_may_share_gpus());
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "0", 1);
  EXPECT_FALSE(ranks_may_share_gpus());
  setenv("NCCL_MULTI_RANK_GPU_ENABLE", "1", 1);
  EXPECT_TRUE(ranks_may_share_gpus());
}

}  // namespace
}  // namespace xkde::dist
