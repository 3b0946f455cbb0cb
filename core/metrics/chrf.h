#ifndef XKDE_CORE_METRICS_CHRF_H_
#define XKDE_CORE_METRICS_CHRF_H_

#include <string_view>

namespace xkde {

/// chrF2 of one sentence against one reference, in [0, 100]: F-score (recall counts twice) of
/// character n-grams, n = 1 to 6, white space left out; orders that one of the two is too short for
/// do not count. As `sentence_score` of sacreBLEU 2.5 with its defaults. Both are well-formed
/// UTF-8. Source: Popović 2015, aclanthology.org/W15-3049.
double chrf(std::string_view hypothesis, std::string_view reference);

}  // namespace xkde

#endif  // XKDE_CORE_METRICS_CHRF_H_
