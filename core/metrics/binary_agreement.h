#ifndef XKDE_CORE_METRICS_BINARY_AGREEMENT_H_
#define XKDE_CORE_METRICS_BINARY_AGREEMENT_H_

#include <cstdint>
#include <optional>

namespace xkde {

/// How often two judges who say yes or no say the same of the same things.
struct BinaryAgreement {
  int64_t both = 0;         ///< both said yes
  int64_t only_first = 0;   ///< the first said yes, the second no
  int64_t only_second = 0;  ///< the other way round
  int64_t neither = 0;      ///< both said no

  void add(bool first, bool second);
  int64_t n() const { return both + only_first + only_second + neither; }
  /// The share of equal verdicts, in [0, 1]; nothing where n() is 0.
  std::optional<double> equal() const;
  /// Cohen's kappa, in [-1, 1]: (o - e) / (1 - e), where o is equal(), and e what it would be if
  /// each kept its share of yes and knew nothing of the other. Nothing where n() is 0, and where
  /// both said yes to all, or no to all: then e is 1. Source: Cohen, Educational and Psychological
  /// Measurement 20 (1960).
  std::optional<double> kappa() const;
};

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_BINARY_AGREEMENT_H_
