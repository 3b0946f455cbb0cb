#ifndef XKDE_CORE_METRICS_BOOTSTRAP_H_
#define XKDE_CORE_METRICS_BOOTSTRAP_H_

#include <cstdint>
#include <optional>
#include <span>

namespace xkde {

struct Interval {
  double low = 0;
  double high = 0;
};

/// The 95 % percentile bootstrap interval of the mean of `values` (Efron 1979): `resamples` means
/// of as many values drawn with replacement, their 2.5 % and 97.5 % quantiles (linear between the
/// two nearest, as numpy.quantile). The draws follow from `seed` and the number of values alone.
/// None for no values or no resamples.
std::optional<Interval> bootstrap_interval(std::span<const double> values, int64_t resamples,
                                           uint64_t seed);

/// The same of the sum of `values` over the sum of `sizes`, as many positive numbers, drawn
/// together.
std::optional<Interval> bootstrap_ratio_interval(std::span<const double> values,
                                                 std::span<const double> sizes, int64_t resamples,
                                                 uint64_t seed);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_BOOTSTRAP_H_
