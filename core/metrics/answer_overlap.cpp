#include "core/metrics/answer_overlap.h"

#include <algorithm>
#include <iterator>
#include <vector>

namespace xkde {

double answer_f1(std::span<const int64_t> answer, std::span<const int64_t> reference,
                 F1Formula formula) {
  if (answer.empty() || reference.empty()) return answer.empty() && reference.empty() ? 1.0 : 0.0;
  std::vector<int64_t> a(answer.begin(), answer.end());
  std::vector<int64_t> b(reference.begin(), reference.end());
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::vector<int64_t> both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  const auto common = static_cast<double>(both.size());
  const double precision = common / static_cast<double>(a.size());
  const double recall = common / static_cast<double>(b.size());
  if (formula == F1Formula::kSquared) return precision * recall;
  return common > 0 ? 2 * precision * recall / (precision + recall) : 0.0;
}

}  // namespace xkde
