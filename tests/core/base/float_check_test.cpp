#include "core/base/float_check.h"

#include <bit>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace xkde {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

uint64_t fingerprint(const std::vector<float>& values) {
  FloatFingerprint made;
  made.add(values);
  return made.value();
}

TEST(FloatCheck, FindsTheFirstValueThatIsNotFinite) {
  for (const float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    for (const size_t place : {size_t{0}, size_t{31}, size_t{4095}, size_t{4096}, size_t{9999}}) {
      std::vector<float> values(10000, -1.5F);
      values[place] = bad;
      values.back() = bad;

      EXPECT_EQ(first_not_below(values), place);
    }
  }
}

TEST(FloatCheck, TakesEveryFiniteValue) {
  using Limits = std::numeric_limits<float>;
  std::vector<float> values(5000, 0.0F);
  values[1] = Limits::max();
  values[2] = Limits::lowest();
  values[3] = Limits::denorm_min();
  values[4999] = -0.0F;

  EXPECT_EQ(first_not_below(values), std::nullopt);
  EXPECT_EQ(first_not_below({}), std::nullopt);
}

TEST(FloatCheck, ABoundIsNotBelowItself) {
  const std::vector<float> values{1.0F, -1.9F, -2.0F, 3.0F};

  EXPECT_EQ(first_not_below(values, 2.0F), size_t{2});
  EXPECT_EQ(first_not_below(values, 3.0F), size_t{3});
  EXPECT_EQ(first_not_below(values, 4.0F), std::nullopt);
}

TEST(FloatCheck, EachBitOfEachNumberCounts) {
  std::vector<float> values;
  for (int i = 0; i < 101; ++i) values.push_back(0.25F * static_cast<float>(i) - 7.0F);
  std::set<uint64_t> seen{fingerprint(values)};

  for (float& value : values) {
    for (int bit = 0; bit < 32; ++bit) {
      const float before = value;
      value = std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ (1U << bit));
      EXPECT_TRUE(seen.insert(fingerprint(values)).second) << "bit " << bit;
      value = before;
    }
  }
}

TEST(FloatCheck, TwoFlippedSignsAndAnExchangeCountToo) {
  std::vector<float> values(200);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1);
  const uint64_t before = fingerprint(values);
  std::vector<float> flipped = values;
  flipped[3] = -flipped[3];
  flipped[35] = -flipped[35];  // of the same lane
  std::vector<float> exchanged = values;
  std::swap(exchanged[7], exchanged[71]);

  EXPECT_NE(fingerprint(flipped), before);
  EXPECT_NE(fingerprint(exchanged), before);
}

TEST(FloatCheck, PiecesMakeTheSameFingerprintAsTheWhole) {
  std::vector<float> values;
  for (int i = 0; i < 1000; ++i) values.push_back(1.0F / static_cast<float>(i + 1));
  FloatFingerprint pieces;
  const std::span<const float> all = values;
  pieces.add(all.first(320));
  pieces.add(all.subspan(320, 640));
  pieces.add(all.subspan(960));

  EXPECT_EQ(pieces.value(), fingerprint(values));
}

TEST(FloatCheck, TheFingerprintIsTheSameOnAllMachines) {
  std::vector<float> values;
  for (int i = 0; i < 70; ++i) values.push_back(0.25F * static_cast<float>(i) - 3.0F);

  EXPECT_EQ(fingerprint(values), 0xa51a6ee6d26b60ecU);  // worked out in Python
  EXPECT_NE(fingerprint({0.0F}), fingerprint({-0.0F}));
  EXPECT_NE(fingerprint({0.0F}), fingerprint({0.0F, 0.0F}));
}

}  // namespace
}  // namespace xkde
