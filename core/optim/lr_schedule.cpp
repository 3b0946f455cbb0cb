#include "core/optim/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace xkde {

double LrSchedule::at(int64_t step) const {
  const auto k = static_cast<double>(step);
  const auto warmup = static_cast<double>(warmup_steps);
  if (step < warmup_steps) return peak * k / warmup;
  if (kind == LrScheduleKind::kConstant) return peak;
  const double span = std::max(1.0, static_cast<double>(total_steps) - warmup);
  const double progress = (k - warmup) / span;
  if (kind == LrScheduleKind::kLinear) return peak * std::max(0.0, 1.0 - progress);
  return peak * std::max(0.0, 0.5 * (1.0 + std::cos(std::numbers::pi * progress)));
}

int64_t warmup_from_ratio(double ratio, int64_t total_steps) {
  return static_cast<int64_t>(std::ceil(ratio * static_cast<double>(total_steps)));
}

}  // namespace xkde
