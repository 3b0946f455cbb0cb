#include "launch/rank_ends.h"

#include <vector>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(RankEnds, ThatSayTheSameAreToldOnce) {
  const std::vector<dist::RankEnd> ends{{66, 1}, {66, 2}, {66, 1}, {66, 3},
                                        {66, 4}, {66, 5}, {66, 2}};

  std::vector<bool> speak;
  for (int rank = 0; rank < 7; ++rank) speak.push_back(speaks(ends, rank));

  EXPECT_EQ(speak, std::vector<bool>({true, true, false, true, true, false, false}));
  EXPECT_TRUE(end_alike(ends));
  EXPECT_FALSE(end_alike(std::vector<dist::RankEnd>{{66, 1}, {66, 1}, {74, 1}}));
}

}  // namespace
}  // namespace xkde
