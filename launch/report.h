#ifndef XKDE_LAUNCH_REPORT_H_
#define XKDE_LAUNCH_REPORT_H_

#include <string>

#include "launch/command_line.h"

namespace xkde {

/// `xkde_dist report`: writes the page and the CSV files, returns the results as text and where the
/// page is. Throws as report::read_run does, and IoError.
std::string report_runs(const ReportCommand& command);

}  // namespace xkde

#endif  // XKDE_LAUNCH_REPORT_H_
