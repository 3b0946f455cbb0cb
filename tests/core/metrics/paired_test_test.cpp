#include "core/metrics/paired_test.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace xkde {
namespace {

TEST(PairedTest, IsExactWhereFewSignsCanBeTurned) {
  // Of 8 choices of signs, two have a sum that is as far from 0: all plus, and all minus.
  const PairedTest test = paired_test(std::vector<double>{1, 2, 3}, 1000, 0);
  EXPECT_DOUBLE_EQ(test.mean, 2);
  EXPECT_DOUBLE_EQ(*test.p, 0.25);
}

TEST(PairedTest, PassesOverWhatIsEqual) {
  EXPECT_DOUBLE_EQ(*paired_test(std::vector<double>{0, 1, 0, 2, 3, 0}, 1000, 0).p, 0.25);
  EXPECT_DOUBLE_EQ(*paired_test(std::vector<double>{0, 0}, 1000, 0).p, 1);
}

TEST(PairedTest, TakesEqualSumsForEqualInSpiteOfRounding) {
  // 0.1 + 0.2 is not 0.3 in binary: of 8 choices, 0.1 + 0.2 + 0.3 twice, and no other.
  EXPECT_DOUBLE_EQ(*paired_test(std::vector<double>{0.1, 0.2, 0.3}, 1000, 0).p, 0.25);
  EXPECT_DOUBLE_EQ(*paired_test(std::vector<double>{0.1, 0.2, -0.3}, 1000, 0).p, 1);
}

TEST(PairedTest, DrawsSignsWhereTheyAreMany) {
  const std::vector<double> better(200, 1.0);
  EXPECT_DOUBLE_EQ(*paired_test(better, 999, 0).p, 0.001);
  std::vector<double> even;
  for (int i = 0; i < 200; ++i) even.push_back(i % 2 == 0 ? 1 : -1);
  EXPECT_DOUBLE_EQ(*paired_test(even, 999, 0).p, 1);
  std::vector<double> weak(100, 1.0);  // 100 of 180 are better: p is about 0.16
  weak.resize(180, -1.0);
  EXPECT_NEAR(*paired_test(weak, 10000, 0).p, 0.156, 0.02);
  EXPECT_EQ(*paired_test(weak, 1000, 7).p, *paired_test(weak, 1000, 7).p);
}

TEST(PairedTest, OfFewerThanTwoDifferencesTellsNothingOfChance) {
  EXPECT_FALSE(paired_test(std::vector<double>{4}, 1000, 0).p);
  EXPECT_FALSE(paired_test(std::vector<double>{4}, 1000, 0).interval);
  EXPECT_FALSE(paired_test({}, 1000, 0).p);
}

TEST(PairedTest, HasTheBootstrapsInterval) {
  const std::vector<double> values{1, -2, 3, 4, 0.5, 2};
  const auto interval = bootstrap_interval(values, 1000, 3);
  EXPECT_EQ(paired_test(values, 1000, 3).interval->low, interval->low);
  EXPECT_EQ(paired_test(values, 1000, 3).interval->high, interval->high);
}

TEST(Holm, CorrectsInTheOrderOfTheTests) {
  const std::vector<std::optional<double>> p{0.04, std::nullopt, 0.01, 0.03};
  const auto corrected = holm(p);
  EXPECT_DOUBLE_EQ(*corrected[0], 0.06);
  EXPECT_FALSE(corrected[1]);
  EXPECT_DOUBLE_EQ(*corrected[2], 0.03);
  EXPECT_DOUBLE_EQ(*corrected[3], 0.06);
  EXPECT_DOUBLE_EQ(*holm(std::vector<std::optional<double>>{0.9, 0.8})[0], 1);
}

}  // namespace
}  // namespace xkde
