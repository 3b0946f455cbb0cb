#include "core/metrics/bootstrap.h"

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "core/base/rng.h"

namespace xkde {
namespace {

std::vector<double> coin_flips(size_t n, double share, uint64_t seed) {
  RandomStream random(seed, "test");
  std::vector<double> values(n);
  for (double& value : values) value = random.uniform() < share ? 1.0 : 0.0;
  return values;
}

TEST(Bootstrap, IsAboutTheNormalIntervalOfManyValues) {
  const std::vector<double> values = coin_flips(2000, 0.3, 5);
  double mean = 0;
  for (const double value : values) mean += value / 2000;
  const double half = 1.96 * std::sqrt(mean * (1 - mean) / 2000);

  const auto interval = bootstrap_interval(values, 2000, 42);

  ASSERT_TRUE(interval.has_value());
  EXPECT_NEAR(interval->low, mean - half, 0.1 * half);
  EXPECT_NEAR(interval->high, mean + half, 0.1 * half);
}

TEST(Bootstrap, CoversTheTrueMeanAsOftenAsItSays) {
  int covered = 0;
  for (uint64_t run = 0; run < 400; ++run) {
    const auto interval = bootstrap_interval(coin_flips(60, 0.4, run), 300, run);
    covered += interval->low <= 0.4 && 0.4 <= interval->high ? 1 : 0;
  }
  // 95 % of 400 is 380; the percentile interval is a little narrow for 60 values.
  EXPECT_GE(covered, 360);
  EXPECT_LE(covered, 396);
}

TEST(Bootstrap, FollowsFromTheSeed) {
  const std::vector<double> values = coin_flips(100, 0.5, 1);
  EXPECT_EQ(bootstrap_interval(values, 100, 1)->low, bootstrap_interval(values, 100, 1)->low);
  EXPECT_NE(bootstrap_interval(values, 100, 1)->low, bootstrap_interval(values, 100, 2)->low);
}

TEST(Bootstrap, OfOneValueIsThatValueAndOfNoneNothing) {
  EXPECT_FALSE(bootstrap_interval({}, 100, 1).has_value());
  EXPECT_FALSE(bootstrap_interval(std::vector{1.0}, 0, 1).has_value());
  EXPECT_EQ(bootstrap_interval(std::vector{0.25}, 100, 1)->low, 0.25);
  EXPECT_EQ(bootstrap_interval(std::vector{0.25}, 100, 1)->high, 0.25);
}

TEST(Bootstrap, OfARatioOfEqualSizesIsThatOfTheMean) {
  const std::vector<double> values = coin_flips(100, 0.5, 1);
  const std::vector<double> sizes(values.size(), 2.0);

  const auto ratio = bootstrap_ratio_interval(values, sizes, 100, 1);
  const auto mean = bootstrap_interval(values, 100, 1);

  // Halves are exact.
  EXPECT_EQ(2 * ratio->low, mean->low);
  EXPECT_EQ(2 * ratio->high, mean->high);
  EXPECT_FALSE(bootstrap_ratio_interval({}, {}, 100, 1).has_value());
}

TEST(Bootstrap, OfARatioDrawsValueAndSizeTogether) {
  // Every pair has the ratio 3, whatever is drawn.
  const auto interval =
      bootstrap_ratio_interval(std::vector{3.0, 30.0, 6.0}, std::vector{1.0, 10.0, 2.0}, 50, 1);

  EXPECT_EQ(interval->low, 3.0);
  EXPECT_EQ(interval->high, 3.0);
}

}  // namespace
}  // namespace xkde
