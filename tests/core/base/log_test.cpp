#include "core/base/log.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace xkde {
namespace {

/// What `act` writes to standard error as rank `rank` of `size`.
std::string lines_of(int rank, int size, const std::function<void()>& act) {
  log::set_rank(rank, size);
  testing::internal::CaptureStderr();
  act();
  log::set_rank(0, 1);
  return testing::internal::GetCapturedStderr();
}

TEST(Log, ARankAloneIsNotNamed) {
  EXPECT_EQ(lines_of(0, 1, [] { log::warning("near"); }), "warning: near\n");
  EXPECT_EQ(lines_of(0, 1, [] { log::error("DataError", "bad"); }), "DataError: bad\n");
}

TEST(Log, OneOfSeveralRanksIsNamed) {
  EXPECT_EQ(lines_of(3, 8, [] { log::warning("near"); }), "[rank 3/8] warning: near\n");
  EXPECT_EQ(lines_of(0, 8, [] { log::error("DataError", "bad"); }), "[rank 0/8] DataError: bad\n");
}

TEST(Log, OnlyRankZeroInforms) {
  EXPECT_EQ(lines_of(0, 8, [] { log::info("done"); }), "done\n");
  EXPECT_EQ(lines_of(3, 8, [] { log::info("done"); }), "");
}

}  // namespace
}  // namespace xkde
