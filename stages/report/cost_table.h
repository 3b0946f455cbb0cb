#ifndef XKDE_STAGES_REPORT_COST_TABLE_H_
#define XKDE_STAGES_REPORT_COST_TABLE_H_

#include <span>
#include <string>

#include "core/text/text_layout.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// For people: a line for each evaluation that says what it took, below one of titles, with seconds
/// an edit and a question in milliseconds and bytes in MB and GB. The line of titles alone where
/// none does. Throws DataError that names the stage where its cost.json is not one.
TextGrid cost_grid(std::span<const RunResults> runs);
/// For programs: the same in seconds and bytes (RFC 4180), with a header.
std::string cost_csv(std::span<const RunResults> runs);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_COST_TABLE_H_
