#ifndef XKDE_STAGES_REPORT_WRITE_REPORT_H_
#define XKDE_STAGES_REPORT_WRITE_REPORT_H_

#include <filesystem>

#include "stages/report/run_results.h"

namespace xkde::report {

/// Writes into a run's folder: report.html, results.csv, report/<stage>.csv for each training stage
/// and report/<stage>_<mode>_<size>_<edit>_<test>.json, EasyEdit's form of each evaluation of
/// edits. Throws as read_run does, and IoError.
void write_report(const std::filesystem::path& run);
/// Of a run that has been read.
void write_report(const RunResults& run);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_WRITE_REPORT_H_
