#include "core/metrics/paired_test.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/base/rng.h"

namespace xkde {
namespace {

constexpr double kSlack = 1e-12;  ///< relative: sums that are equal but for rounding are equal
constexpr size_t kMostExact = 40;

/// Of sums with every choice of signs, how many are at least `least` away from zero, and of how
/// many.
double exact_share(const std::vector<double>& values, double least) {
  std::vector<double> sums{0.0};
  for (const double value : values) {
    const size_t count = sums.size();
    for (size_t i = 0; i < count; ++i) {
      sums.push_back(sums[i] - value);
      sums[i] += value;
    }
  }
  const auto far = std::ranges::count_if(sums, [&](double sum) { return std::fabs(sum) >= least; });
  return static_cast<double>(far) / static_cast<double>(sums.size());
}

double drawn_share(const std::vector<double>& values, double least, int64_t resamples,
                   RandomStream random) {
  int64_t far = 0;
  for (int64_t draw = 0; draw < resamples; ++draw) {
    double sum = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (i % 64 == 0) bits = random.next();
      sum += (bits >> (i % 64) & 1) != 0 ? values[i] : -values[i];
    }
    if (std::fabs(sum) >= least) ++far;
  }
  return static_cast<double>(1 + far) / static_cast<double>(1 + resamples);
}

double sign_test(std::span<const double> differences, int64_t resamples, uint64_t seed) {
  std::vector<double> values;
  double sum = 0, size = 0;
  for (const double value : differences) {
    if (value == 0) continue;
    values.push_back(value);
    sum += value;
    size += std::fabs(value);
  }
  const double least = std::fabs(sum) - kSlack * size;
  const bool is_exact = values.size() < kMostExact && int64_t{1} << values.size() <= resamples;
  if (is_exact) return exact_share(values, least);
  return drawn_share(values, least, resamples, RandomStream(seed, "signs", differences.size()));
}

}  // namespace

PairedTest paired_test(std::span<const double> differences, int64_t resamples, uint64_t seed) {
  if (differences.empty()) return {};
  const double sum = std::accumulate(differences.begin(), differences.end(), 0.0);
  PairedTest test{sum / static_cast<double>(differences.size()), std::nullopt, std::nullopt};
  if (differences.size() < 2) return test;
  test.interval = bootstrap_interval(differences, resamples, seed);
  test.p = sign_test(differences, resamples, seed);
  return test;
}

std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p_values) {
  std::vector<size_t> order;
  for (size_t i = 0; i < p_values.size(); ++i) {
    if (p_values[i]) order.push_back(i);
  }
  std::ranges::stable_sort(order, {}, [&](size_t place) { return *p_values[place]; });
  std::vector<std::optional<double>> corrected(p_values.begin(), p_values.end());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const auto left = static_cast<double>(order.size() - rank);
    largest = std::max(largest, std::min(1.0, *p_values[order[rank]] * left));
    corrected[order[rank]] = largest;
  }
  return corrected;
}

}  // namespace xkde
