#ifndef XKDE_STAGES_REPORT_RUN_COMPARISON_H_
#define XKDE_STAGES_REPORT_RUN_COMPARISON_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/metrics/paired_test.h"
#include "core/text/text_layout.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// A metric of the first run and of another one, over the questions that both asked. Percent.
struct RunDifference {
  std::string benchmark;
  std::string other;  ///< the run's name
  std::string metric;
  std::string mode;  ///< "single", "batch of 10"
  LanguagePair pair;
  int64_t records = 0;                           ///< with questions in common
  int64_t first_records = 0, other_records = 0;  ///< that each asked
  double first_value = 0, other_value = 0;       ///< over those in common
  PairedTest test;                               ///< of other - first, over records
  std::optional<double> p_holm;                  ///< corrected for all differences
};

/// Several runs held against the first one: of each benchmark and mode their last evaluations,
/// question by question, and their recipes.
struct RunComparison {
  std::vector<RunDifference> differences;
  std::vector<std::string> warnings;  ///< where runs asked other questions
  /// "key" and the runs' names; then the keys of the recipes that differ with their values, but for
  /// run_name and output_dir. Empty where none does.
  TextGrid recipe_keys;
};

/// Questions are the same where record, languages, metric, probe and mode are, and where the texts
/// of question and target are, as far as predictions.jsonl has them. Values count as in
/// results.json: means over probes, kinds and records (`averaging`). Throws IoError, and DataError
/// that names file and line. Runs without predictions.jsonl are passed over with a warning.
RunComparison compare_runs(std::span<const RunResults> runs);

/// A line a difference, for people; empty for none.
TextGrid differences_grid(const RunComparison& comparison);
/// For a terminal: warnings, differences with their tests, keys of recipes. Where the table of
/// differences would take more than `most` columns, each has a title and its values below that, as
/// "heading value; …"; long keys are broken.
std::string comparison_text(const RunComparison& comparison, size_t most = kAnyWidth);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_RUN_COMPARISON_H_
