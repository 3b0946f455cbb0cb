#ifndef XKDE_LAUNCH_ENVIRONMENT_REPORT_H_
#define XKDE_LAUNCH_ENVIRONMENT_REPORT_H_

#include <string>

#include "core/io/json_file.h"

namespace xkde {

/// Versions of this program and of every library, compiler, processor and memory: for run.json.
Json version_report();

/// The same as lines of "name: value", to be pasted into a bug report.
std::string environment_text();

}  // namespace xkde

#endif  // XKDE_LAUNCH_ENVIRONMENT_REPORT_H_
