#include "core/generate/sampling.h"

#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/base/rng.h"

namespace xkde {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

const std::vector<float>& logits() {
  static const std::vector<float> values = {0.5F, 2.0F, -1.0F, 2.0F, kNever, 1.0F, -3.0F, 0.0F};
  return values;
}

std::vector<double> exact(double temperature, const std::function<bool(size_t)>& is_kept) {
  std::vector<double> shares;
  double total = 0.0;
  for (size_t i = 0; i < logits().size(); ++i) {
    const double weight = std::exp(static_cast<double>(logits()[i]) / temperature);
    shares.push_back(is_kept(i) ? weight : 0.0);
    total += shares.back();
  }
  for (double& share : shares) share /= total;
  return shares;
}

/// Pearson's statistic of many draws; a token that must not come is a failure of its own.
double chi_square(const SamplingOptions& options, const std::vector<double>& shares) {
  constexpr int kDraws = 200'000;
  std::vector<int> counts(shares.size());
  RandomStream random(11, "sampling test", 0);
  for (int i = 0; i < kDraws; ++i) {
    ++counts[static_cast<size_t>(sample_token(logits(), options, random.uniform()))];
  }
  double sum = 0.0;
  for (size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] == 0.0) {
      EXPECT_EQ(counts[i], 0) << "token " << i;
      continue;
    }
    const double expected = kDraws * shares[i];
    sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  }
  return sum;
}

// Six degrees of freedom: above 22.5 once in a thousand times; the stream is fixed.
TEST(Sampling, DrawsFromTheExactDistribution) {
  for (const double temperature : {0.3, 0.8, 1.0, 2.0}) {
    EXPECT_LT(
        chi_square({.temperature = temperature}, exact(temperature, [](size_t) { return true; })),
        22.5)
        << temperature;
  }
}

TEST(Sampling, TopKKeepsTheMostLikely) {
  const auto kept = [](size_t id) { return id == 1 || id == 3 || id == 5; };

  EXPECT_LT(chi_square({.temperature = 1.0, .top_k = 3}, exact(1.0, kept)), 13.9);
  // Of two equal tokens the lower id stays.
  EXPECT_EQ(sample_token(logits(), {.temperature = 1.0, .top_k = 1}, 0.999), 1);
}

TEST(Sampling, TopPKeepsTheFewestThatMakeUpTheShare) {
  // Shares at temperature 1: 1 and 3 have 0.35 each, 5 0.13, 0 0.08, 7 0.05, 2 0.02, 6 0.00.
  const auto kept = [](size_t id) { return id == 1 || id == 3 || id == 5; };

  EXPECT_LT(chi_square({.temperature = 1.0, .top_p = 0.75}, exact(1.0, kept)), 13.9);
  EXPECT_EQ(sample_token(logits(), {.temperature = 1.0, .top_p = 1e-9}, 0.999), 1);
  // top_p counts in what top_k leaves: 1 and 3 with a half each.
  EXPECT_EQ(sample_token(logits(), {.temperature = 1.0, .top_k = 2, .top_p = 0.5}, 0.999), 1);
}

TEST(Sampling, TemperatureZeroIsGreedy) {
  EXPECT_EQ(sample_token(logits(), {.temperature = 0.0}, 0.99), 1);
}

TEST(Sampling, EndsOfTheUnitIntervalAreTokensToo) {
  EXPECT_EQ(sample_token(logits(), {.temperature = 1.0}, 0.0), 0);
  EXPECT_EQ(sample_token(logits(), {.temperature = 1.0}, std::nextafter(1.0, 0.0)), 7);
  const std::vector<float> one = {kNever, 3.0F, kNever};
  EXPECT_EQ(sample_token(one, {}, 0.0), 1);
}

TEST(Sampling, LogitsThatAreNoNumbersAreAnError) {
  const std::vector<float> with_nan = {0.0F, std::nanf("")};
  const std::vector<float> with_infinity = {0.0F, INFINITY};
  const std::vector<float> impossible = {kNever, kNever};

  EXPECT_THROW(sample_token(with_nan, {}, 0.5), NumericError);
  EXPECT_THROW(sample_token(with_infinity, {}, 0.5), NumericError);
  EXPECT_THROW(sample_token(impossible, {}, 0.5), NumericError);
  EXPECT_THROW(sample_token({}, {}, 0.5), NumericError);
}

}  // namespace
}  // namespace xkde
