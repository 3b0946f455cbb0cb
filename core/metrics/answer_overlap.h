#ifndef XKDE_CORE_METRICS_ANSWER_OVERLAP_H_
#define XKDE_CORE_METRICS_ANSWER_OVERLAP_H_

#include <cstdint>
#include <span>

#include "core/base/named.h"

namespace xkde {

/// With I common ids, counted as often as both have them: 2PR / (P + R) for P = I / |a|, R = I /
/// |b|, or the older I² / (|a| |b|), which published tables were made with (protocol 6.6, Q21).
enum class F1Formula { kHarmonic, kSquared };
inline constexpr Named<F1Formula> kF1FormulaNames[] = {{"f1", F1Formula::kHarmonic},
                                                       {"squared", F1Formula::kSquared}};

/// In [0, 1]. Two empty lists agree, one empty list shares nothing; without common ids it is 0.
double answer_f1(std::span<const int64_t> answer, std::span<const int64_t> reference,
                 F1Formula formula);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_ANSWER_OVERLAP_H_
