#ifndef XKDE_CORE_METRICS_PAIRED_TEST_H_
#define XKDE_CORE_METRICS_PAIRED_TEST_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/metrics/bootstrap.h"

namespace xkde {

/// Whether a mean of paired differences is more than chance.
struct PairedTest {
  double mean = 0;
  std::optional<Interval> interval;  ///< bootstrap_interval(); none of fewer than two differences
  std::optional<double> p;           ///< of "it is 0", two-sided; none of fewer than two
};

/// The p-value is that of the test that turns signs (Fisher's randomisation test): if two runs are
/// equally good, every difference might as well have the other sign. Exact where there are not more
/// choices of signs than `resamples`, else over that many drawn ones. A bootstrap's own p-value is
/// too small where there are few differences. Draws follow from `seed` and the number of
/// differences alone. As paired_test() of xkde_results, whose draws are others.
PairedTest paired_test(std::span<const double> differences, int64_t resamples, uint64_t seed);

/// Holm's correction for several tests, in their order; none stays none.
std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p_values);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_PAIRED_TEST_H_
