#include "core/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/base/rng.h"

namespace xkde {

namespace {

constexpr double kTail = 0.025;

/// Of sorted values.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(place));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// Calls draw(i) for as many places i as there are values, drawn with replacement.
template <typename Draw>
void resample(RandomStream& random, uint64_t n, const Draw& draw) {
  // The upper half of 32-bit products in place of a remainder: two draws of each random number,
  // with a bias of n / 2^32, far below what resamples can show.
  for (uint64_t i = 0; i < n; i += 2) {
    const uint64_t bits = random.next();
    draw((bits >> 32) * n >> 32);
    if (i + 1 < n) draw((bits & UINT32_MAX) * n >> 32);
  }
}

Interval interval_of(std::vector<double> means) {
  std::sort(means.begin(), means.end());
  return Interval{quantile(means, kTail), quantile(means, 1 - kTail)};
}

}  // namespace

std::optional<Interval> bootstrap_interval(std::span<const double> values, int64_t resamples,
                                           uint64_t seed) {
  if (values.empty() || resamples <= 0) return std::nullopt;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  if (*least == *most) return Interval{*least, *most};
  RandomStream random(seed, "bootstrap", values.size());
  std::vector<double> means(static_cast<size_t>(resamples));
  for (double& mean : means) {
    double sum = 0;
    resample(random, values.size(), [&](uint64_t place) { sum += values[place]; });
    mean = sum / static_cast<double>(values.size());
  }
  return interval_of(std::move(means));
}

std::optional<Interval> bootstrap_ratio_interval(std::span<const double> values,
                                                 std::span<const double> sizes, int64_t resamples,
                                                 uint64_t seed) {
  if (values.empty() || resamples <= 0) return std::nullopt;
  RandomStream random(seed, "bootstrap", values.size());
  std::vector<double> ratios(static_cast<size_t>(resamples));
  for (double& ratio : ratios) {
    double sum = 0, size = 0;
    resample(random, values.size(), [&](uint64_t place) {
      sum += values[place];
      size += sizes[place];
    });
    ratio = sum / size;
  }
  return interval_of(std::move(ratios));
}

}  // namespace xkde
