#include "core/optim/lr_schedule.h"

#include <gtest/gtest.h>

namespace xkde {
namespace {

// Protocol, Appendix A: 200 steps, warm-up 10.
TEST(LrSchedule, CosineEqualsTheProtocolsVector) {
  const LrSchedule schedule{.peak = 1.0, .warmup_steps = 10, .total_steps = 200};

  EXPECT_DOUBLE_EQ(schedule.at(0), 0.0);
  EXPECT_DOUBLE_EQ(schedule.at(5), 0.5);
  EXPECT_DOUBLE_EQ(schedule.at(10), 1.0);
  EXPECT_NEAR(schedule.at(105), 0.5, 1e-12);
  EXPECT_NEAR(schedule.at(199), 6.83475e-05, 1e-10);
}

TEST(LrSchedule, LinearFallsToZeroAndConstantStays) {
  const LrSchedule linear{LrScheduleKind::kLinear, 2.0, 2, 10};
  const LrSchedule constant{LrScheduleKind::kConstant, 2.0, 2, 10};

  EXPECT_DOUBLE_EQ(linear.at(1), 1.0);
  EXPECT_DOUBLE_EQ(linear.at(2), 2.0);
  EXPECT_DOUBLE_EQ(linear.at(6), 1.0);
  EXPECT_DOUBLE_EQ(linear.at(10), 0.0);
  EXPECT_DOUBLE_EQ(constant.at(9), 2.0);
}

TEST(LrSchedule, WarmupRatioRoundsUp) {
  EXPECT_EQ(warmup_from_ratio(0.05, 200), 10);
  EXPECT_EQ(warmup_from_ratio(0.05, 45), 3);
  EXPECT_EQ(warmup_from_ratio(0.0, 45), 0);
}

TEST(LrSchedule, SurvivesAWarmupAsLongAsTheRun) {
  const LrSchedule schedule{.peak = 1.0, .warmup_steps = 5, .total_steps = 5};

  EXPECT_DOUBLE_EQ(schedule.at(4), 0.8);
  EXPECT_DOUBLE_EQ(schedule.at(5), 1.0);
}

}  // namespace
}  // namespace xkde
