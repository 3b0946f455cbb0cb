#include "launch/report.h"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/standard_output.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "stages/recipe/run_record.h"
#include "stages/report/csv.h"
#include "stages/report/evaluation_blocks.h"
#include "stages/report/html_report.h"
#include "stages/report/run_comparison.h"
#include "stages/report/run_results.h"
#include "stages/report/write_report.h"
#include "stages/run/output_path.h"
#include "stages/watch/run_state.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

/// Runs of one name get their folders behind it.
void tell_apart(std::vector<report::RunResults>& runs) {
  std::map<std::string, int> counts;
  for (const report::RunResults& run : runs) ++counts[run.name];
  for (report::RunResults& run : runs) {
    if (counts[run.name] > 1) run.name += " (" + run.folder.string() + ")";
  }
}

/// Throws ConfigError unless a page and a table may be written for the runs: there is none yet, or
/// one that this command wrote, and not in the folder of a run, which has its own.
void check_places(const ReportCommand& command, const fs::path& page, const fs::path& table) {
  std::vector<recipe::NamedPath> inputs;
  for (const fs::path& run : command.runs) inputs.push_back({"the run", run});
  const std::string header = report::results_csv({});
  for (const fs::path& file : {page, table}) {
    recipe::check_apart(file, inputs);
    recipe::check_file_or_free(file);
    const std::string text = text_of_file(file);
    const bool is_ours = file == table ? text.starts_with(header) : report::is_html_report(text);
    XKDE_CHECK(is_ours || !is_there(file, FileOrigin::kOwn), ConfigError, file.string(),
               ": expected nothing there, or an earlier report, found another file; name another "
               "page with --out");
  }
}

}  // namespace

std::string report_runs(const ReportCommand& command, size_t most) {
  std::vector<report::RunResults> runs;
  for (const fs::path& folder : command.runs) {
    // Before its results, so that one that ends while they are read has not ended without a word.
    const std::optional<recipe::RunState> state = recipe::state_of_run(folder);
    runs.push_back(report::read_run(folder));
    Json& run = runs.back().run;
    if (!state || run.value("exit_reason", "") != recipe::kRunning) continue;
    run["exit_reason"] = state->record.exit_reason;
    if (!state->note.empty()) log::warning(folder.string() + ": " + state->note);
  }
  tell_apart(runs);
  fs::path page = command.runs.front() / recipe::kReportFile;
  std::vector<report::Survival> survived;
  const report::RunComparison comparison = report::compare_runs(runs);
  if (runs.size() == 1) {
    survived = report::write_report(runs.front());
  } else {
    for (const report::RunResults& run : runs) {
      for (report::Survival& one : report::survivals(run)) survived.push_back(std::move(one));
    }
    page = command.out.empty() ? recipe::kReportFile : command.out;
    fs::path table = page;
    table.replace_extension(".csv");
    check_places(command, page, table);
    write_file_atomically(page, report::html_report(runs, survived, comparison));
    write_file_atomically(table, report::results_csv(runs));
  }
  const std::string remains = report::survival_table(survived, most);
  return report::comparison_table(runs, most) + report::comparison_text(comparison, most) +
         (remains.empty() ? "" : "\n" + remains) + "report: " + page.string() + "\n";
}

std::string_view ReportCommand::summary() const {
  return "the results of runs side by side, as text and as one page, report.html, with a .csv "
         "beside it; of one run: its own report.html, results.csv and report/ again";
}

std::vector<std::string_view> ReportCommand::examples() const {
  return {"xkde_dist report runs/quickstart", "xkde_dist report runs/a runs/b --out both.html"};
}

void ReportCommand::define(CLI::App& app) {
  app.add_option("RUN", runs, "folders of runs");
  app.add_option("--out", out, "the page that is written for several runs")->type_name("FILE");
}

void ReportCommand::check(std::span<const std::string> /*names*/) {
  XKDE_CHECK(!runs.empty(), UsageError, "report: expected the folder of a run, found none");
  XKDE_CHECK(
      runs.size() > 1 || out.empty(), UsageError,
      "report: expected several runs beside --out, found one, whose report has its own place");
}

int ReportCommand::run() {
  print(report_runs(*this, output_columns()));
  return 0;
}

}  // namespace xkde
