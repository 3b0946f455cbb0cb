#include "stages/report/write_report.h"

#include <span>
#include <string>
#include <vector>

#include "core/io/atomic_file.h"
#include "stages/recipe/run_record.h"
#include "stages/report/asked_questions.h"
#include "stages/report/cost_table.h"
#include "stages/report/csv.h"
#include "stages/report/easyedit_json.h"
#include "stages/report/edits_page.h"
#include "stages/report/html_report.h"

namespace xkde::report {
namespace {

void write_edits_pages(const RunResults& run, const std::filesystem::path& folder) {
  const AskedQuestions asked = first_questions(run, kMostPageQuestions);
  for (const Evaluation& evaluation : run.evaluations) {
    if (!evaluation.asks_edits()) continue;
    write_file_atomically(folder / edits_page_name(evaluation), edits_page(run, evaluation, asked));
  }
}

}  // namespace

void write_live_report(const std::filesystem::path& folder) {
  const RunResults run = read_run(folder);
  if (run.is_finished) return;
  write_file_atomically(folder / recipe::kReportFile, html_report(std::span(&run, 1), {}));
}

std::vector<Survival> write_report(const std::filesystem::path& folder) {
  return write_report(read_run(folder));
}

std::vector<Survival> write_report(const RunResults& run) {
  const std::filesystem::path& folder = run.folder;
  const std::span<const RunResults> one(&run, 1);
  const std::filesystem::path parts = folder / recipe::kReportFolder;
  std::filesystem::create_directories(parts);
  for (const TrainingCurves& training : run.trainings)
    write_file_atomically(parts / (training.stage + ".csv"), training_csv(training));
  for (const Evaluation& evaluation : run.evaluations) {
    if (!evaluation.asks_edits()) continue;
    const auto results = easyedit_results(folder / evaluation.stage / recipe::kPredictionsFile);
    for (const auto& [name, list] : results)
      write_file_atomically(parts / (evaluation.stage + "_" + name + ".json"), list.dump(1) + "\n");
  }
  write_edits_pages(run, parts);
  write_file_atomically(parts / "cost.csv", cost_csv(one));
  std::vector<Survival> survived = survivals(run);
  if (!survived.empty()) write_file_atomically(parts / "survival.csv", survival_csv(survived));
  write_file_atomically(folder / recipe::kResultsTableFile, results_csv(one));
  write_file_atomically(folder / recipe::kReportFile, html_report(one, survived));
  return survived;
}

}  // namespace xkde::report
