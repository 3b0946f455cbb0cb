#ifndef XKDE_STAGES_REPORT_WRITE_REPORT_H_
#define XKDE_STAGES_REPORT_WRITE_REPORT_H_

#include <filesystem>
#include <vector>

#include "stages/report/run_results.h"
#include "stages/report/survival.h"

namespace xkde::report {

/// Writes into a run's folder: report.html, results.csv, report/<stage>.csv for each training
/// stage, report/cost.csv, report/survival.csv where a later evaluation can be held against an
/// earlier one, and of each evaluation of edits report/<stage>.html (edits_page.h) and
/// report/<stage>_<mode>_<size>_<edit>_<test>.json, EasyEdit's form.
/// Returns what remains of the edits (survival.h). Throws as read_run and survivals do, and
/// IoError.
std::vector<Survival> write_report(const std::filesystem::path& run);
/// Only report.html of a run that is not done, from what is complete of it: that of one that goes
/// on tells how old it is and reads itself again. Of a run that is done nothing is written. May run
/// beside the stages that write the folder. Throws as read_run, and IoError.
void write_live_report(const std::filesystem::path& run);
/// Of a run that has been read.
std::vector<Survival> write_report(const RunResults& run);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_WRITE_REPORT_H_
