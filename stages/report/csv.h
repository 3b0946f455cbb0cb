#ifndef XKDE_STAGES_REPORT_CSV_H_
#define XKDE_STAGES_REPORT_CSV_H_

#include <span>
#include <string>
#include <vector>

#include "stages/report/run_results.h"

namespace xkde::report {

/// A line of RFC 4180, with its line end: fields in quotes where they need them.
std::string csv_line(const std::vector<std::string>& fields);
/// Every row of every evaluation, one header line.
std::string results_csv(std::span<const RunResults> runs);
/// step and one column for each key; empty cells where a step has no such number.
std::string training_csv(const TrainingCurves& curves);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_CSV_H_
