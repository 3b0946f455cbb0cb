#ifndef XKDE_STAGES_REPORT_AGE_CHARTS_H_
#define XKDE_STAGES_REPORT_AGE_CHARTS_H_

#include <string>

#include "stages/report/evaluation_blocks.h"

namespace xkde::report {

/// Curves over how many edits ago a fact was edited, for the largest stream of each evaluation:
/// after the last edit, and of the same facts right after each. One chart for token accuracy and
/// one for each context of free answers, by the first scorer; means over the language pairs. ""
/// where nothing was counted by age.
std::string age_charts(const EvaluationBlock& block);

/// Whether a metric is counted by age: "age.2-5.reliability".
bool is_by_age(const std::string& metric);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_AGE_CHARTS_H_
