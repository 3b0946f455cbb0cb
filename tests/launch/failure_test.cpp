#include "launch/failure.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(Failure, OfTheFileSystemIsNoBug) {
  try {
    throw std::filesystem::filesystem_error("cannot do", "runs/a",
                                            std::make_error_code(std::errc::permission_denied));
  } catch (...) {
    const Failure failure = describe_current_exception();

    EXPECT_EQ(failure.exit_code, 74);
    EXPECT_EQ(failure.kind, "IoError");
    EXPECT_EQ(failure.message, "runs/a: expected to reach it, found Permission denied");
  }
}

TEST(Failure, OfRanksThatSayTheSameIsToldOnce) {
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
