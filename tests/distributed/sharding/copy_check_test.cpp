#include "distributed/sharding/copy_check.h"

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "tests/support/message_of.h"

namespace xkde::dist {
namespace {

using test::message_of;
using testing::HasSubstr;

std::string complaint(const std::vector<uint64_t>& of_ranks, int num_shards) {
  return message_of<CopiesError>([&] { check_copies(of_ranks, num_shards, "step 7"); });
}

TEST(CopyCheck, EqualCopiesOfDifferentShardsAreGood) {
  EXPECT_EQ(complaint({5, 9, 5, 9, 5, 9}, 2), "no error");
  EXPECT_EQ(complaint({5, 9, 7}, 3), "no error");
  EXPECT_EQ(complaint({5}, 1), "no error");
}

TEST(CopyCheck, TheRankUnlikeTheOthersIsNamed) {
  EXPECT_EQ(
      complaint({5, 9, 5, 9, 5, 8}, 2),
      "step 7: expected the same masters and moments in all 3 copies of the model, found shard "
      "1 of rank 5 unlike that of ranks 1, 3");
  EXPECT_THAT(complaint({5, 9, 4, 9, 5, 8}, 2),
              HasSubstr("found shard 0 of rank 2 unlike that of ranks 0, 4; shard 1 of rank 5 "));
}

TEST(CopyCheck, WithoutAMajorityAllAreNamed) {
  EXPECT_THAT(complaint({5, 6}, 1), HasSubstr("found shard 0 of ranks 0, 1 unlike each other"));
  EXPECT_THAT(complaint({5, 6, 6, 5}, 1), HasSubstr("shard 0 of ranks 0, 1, 2, 3 unlike each "));
}

TEST(CopyCheck, AFlippedBitIsSeenOnceInSoManySteps) {
  const int64_t steps = 4;
  for (const int64_t place : {0, 1, 24, 25, 99}) {
    for (const int which : {0, 1, 2}) {
      std::vector<at::Tensor> state{at::arange(101, at::kFloat), at::ones({101}), at::ones({7})};
      CopyCheck good({state[0].clone(), state[1].clone(), state[2].clone()}, steps, 2, 1);
      const at::Tensor damaged = state[static_cast<size_t>(which)].view(at::kInt);
      damaged[place % damaged.numel()].add_(1);
      CopyCheck bad(state, steps, 2, 1);
      int seen = 0;

      for (int64_t step = 10; step < 10 + steps; ++step) {
        good.begin(step);
        bad.begin(step);
        seen += good.end() == bad.end() ? 0 : 1;
      }

      EXPECT_EQ(seen, 1) << place << " of " << which;
    }
  }
}

TEST(CopyCheck, NothingIsLookedAtWhereThereIsOneCopyOrNoneIsAskedFor) {
  for (const int64_t steps : {0, 4}) {
    CopyCheck check({at::ones({9})}, steps, steps == 0 ? 4 : 2, 2);
    check.begin(0);

    EXPECT_EQ(check.end(), 0U);
    EXPECT_NO_THROW(check.compare(std::vector<uint64_t>{1, 2}, "step 1"));
  }
}

TEST(CopyCheck, PartsMayBeMoreThanThereAreNumbers) {
  CopyCheck check({at::ones({3})}, 1000000, 2, 1);
  for (int64_t step = 0; step < 50; ++step) {
    check.begin(step);
    EXPECT_NO_THROW(check.end());
  }
}

}  // namespace
}  // namespace xkde::dist
