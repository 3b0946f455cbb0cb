#ifndef XKDE_CORE_OPTIM_LR_SCHEDULE_H_
#define XKDE_CORE_OPTIM_LR_SCHEDULE_H_

#include <cstdint>

#include "core/base/named.h"

namespace xkde {

enum class LrScheduleKind { kCosine, kLinear, kConstant };
inline constexpr Named<LrScheduleKind> kLrScheduleNames[] = {
    {"cosine", LrScheduleKind::kCosine},
    {"linear", LrScheduleKind::kLinear},
    {"constant", LrScheduleKind::kConstant}};

/// Warm-up from 0 to the peak, then the decay of transformers' schedules (protocol 4.1). Step 0 of
/// a schedule with a warm-up has rate 0.
struct LrSchedule {
  LrScheduleKind kind = LrScheduleKind::kCosine;
  double peak = 1e-5;
  int64_t warmup_steps = 0;
  int64_t total_steps = 1;

  double at(int64_t step) const;  ///< step counts from 0
};

/// Steps of a warm-up given as a share of all: rounded up, as transformers does.
int64_t warmup_from_ratio(double ratio, int64_t total_steps);

}  // namespace xkde

#endif  // XKDE_CORE_OPTIM_LR_SCHEDULE_H_
