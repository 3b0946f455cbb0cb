#include "stages/follow/live_report.h"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include <gtest/gtest.h>

namespace xkde::recipe {
namespace {

TEST(LivePace, TakesAtMostAHundredthOfTheTime) {
  const LivePace pace;
  double now = 0, spent = 0;
  while (now < 36000) {
    const double cost = 0.5 + now / 10000;  // pages grow
    now += cost;
    spent += cost;
    now = pace.next(now, spent, cost);
    EXPECT_LE(spent, 0.01 * now);
  }
}

TEST(LivePace, OfAPageThatCostsNothingIsWithinItsBounds) {
  const LivePace pace;
  EXPECT_DOUBLE_EQ(pace.next(0, 0, 0), 1);
  EXPECT_DOUBLE_EQ(pace.next(400, 0, 0), 420);
  EXPECT_DOUBLE_EQ(pace.next(36000, 0, 0), 36060);
}

void wait_for(const std::atomic<int>& count, int wanted) {
  while (count < wanted) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

constexpr LivePace kAtOnce{.share = 1, .growth = 0, .least_seconds = 0, .most_seconds = 0};

TEST(LiveReport, IsWrittenAgainAndAgainAlsoAfterAnError) {
  std::atomic<int> count = 0;
  {
    const LiveReport report(
        [&count] {
          if (++count == 2) throw std::runtime_error("disk full");
        },
        kAtOnce);
    wait_for(count, 5);
  }
  const int last = count;
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(count, last);
}

TEST(LiveReport, EndsAtOnceWhereTheNextPageIsFar) {
  std::atomic<int> count = 0;
  const auto begin = std::chrono::steady_clock::now();
  {
    const LiveReport report([&count] { ++count; }, {.least_seconds = 3600, .most_seconds = 3600});
    wait_for(count, 1);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::minutes(5));
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace xkde::recipe
