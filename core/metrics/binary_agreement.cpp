#include "core/metrics/binary_agreement.h"

namespace xkde {

void BinaryAgreement::add(bool first, bool second) {
  ++(first ? (second ? both : only_first) : (second ? only_second : neither));
}

std::optional<double> BinaryAgreement::equal() const {
  if (n() == 0) return std::nullopt;
  return static_cast<double>(both + neither) / static_cast<double>(n());
}

std::optional<double> BinaryAgreement::kappa() const {
  if (both == n() || neither == n()) return std::nullopt;
  const auto a = static_cast<double>(both), b = static_cast<double>(only_first),
             c = static_cast<double>(only_second), d = static_cast<double>(neither);
  // The same over one denominator, so that no agreement beyond chance is 0 and not nearly so.
  return 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d));
}

}  // namespace xkde
