#ifndef XKDE_STAGES_REPORT_RUN_RESULTS_H_
#define XKDE_STAGES_REPORT_RUN_RESULTS_H_

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/evaluate/edit_metrics.h"
#include "core/evaluate/scorer_agreement.h"
#include "core/io/json_file.h"

namespace xkde::report {

/// What an evaluate or a capability stage found.
struct Evaluation {
  std::string stage;  ///< "04-evaluate"
  std::string label;  ///< "before training", "XE-IT + TL-PO", "XE-IT + Q4_0"; also the method, if
                      ///< not X-KDE's
  Json cost = {};     ///< what it took (docs/report.md); null where nothing says so
  bool is_rounded = false;  ///< by a quantize stage, and not trained since
  std::vector<ResultRow> rows;
  AgreementReport agreement = {};  ///< of scorers of free answers

  bool asks_edits() const { return rows.empty() || rows.front().scope.asks_edits(); }
};

/// The numbers of a training stage's metrics.jsonl: by key, each with its step.
struct TrainingCurves {
  std::string stage;  ///< "03-sft"
  std::map<std::string, std::vector<std::pair<double, double>>> series;
};

/// The finished part of one run, as reports show it.
struct RunResults {
  std::filesystem::path folder;
  std::string name;
  Json run;                  ///< run.json
  bool is_finished = false;  ///< whether its exit reason says so
  std::vector<Evaluation> evaluations;
  std::vector<TrainingCurves> trainings;
};

/// Reads the stages that run.json names, and no other folder of the run. Stages that are not
/// complete are passed over. Throws MissingInputError when it is no run's folder, DataError naming
/// file and place where a file is not what it should be.
RunResults read_run(const std::filesystem::path& folder);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_RUN_RESULTS_H_
