#include "launch/report.h"

#include <map>

#include "core/io/atomic_file.h"
#include "stages/report/csv.h"
#include "stages/report/html_report.h"
#include "stages/report/run_results.h"
#include "stages/report/write_report.h"

namespace xkde {

namespace {

/// Runs of one name get their folders behind it.
void tell_apart(std::vector<report::RunResults>& runs) {
  std::map<std::string, int> counts;
  for (const report::RunResults& run : runs) ++counts[run.name];
  for (report::RunResults& run : runs) {
    if (counts[run.name] > 1) run.name += " (" + run.folder.string() + ")";
  }
}

}  // namespace

std::string report_runs(const ReportCommand& command) {
  std::vector<report::RunResults> runs;
  for (const std::filesystem::path& folder : command.runs) runs.push_back(report::read_run(folder));
  tell_apart(runs);
  std::filesystem::path page = command.runs.front() / "report.html";
  if (runs.size() == 1) {
    report::write_report(command.runs.front());
  } else {
    page = command.out.empty() ? "report.html" : command.out;
    write_file_atomically(page, report::html_report(runs));
    std::filesystem::path table = page;
    write_file_atomically(table.replace_extension(".csv"), report::results_csv(runs));
  }
  return report::comparison_table(runs) + "report: " + page.string() + "\n";
}

}  // namespace xkde
