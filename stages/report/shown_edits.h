#ifndef XKDE_STAGES_REPORT_SHOWN_EDITS_H_
#define XKDE_STAGES_REPORT_SHOWN_EDITS_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/text/text_layout.h"

namespace xkde::report {

/// Which questions of a run are shown.
struct ShownQuestions {
  /// Only those whose last verdict is wrong or changed: below 1 in token accuracy or, where the
  /// model answered freely, by the first scorer in some context.
  bool wrong = false;
  std::string language = {};           ///< of the question, as the recipe writes it; empty: all
  std::string metric = {};             ///< "portability" has its kinds, too; empty: all
  std::optional<int64_t> record = {};  ///< empty: all
  int64_t limit = 20;                  ///< questions, at most; 0: all
};

/// The questions of a run's evaluations for a person to read: fact, question and what is expected,
/// then what each evaluation found: the tokens that the model put in the place of those that are
/// expected, its free answers, and for each a verdict with the name of the metric: right or wrong,
/// and of locality kept or changed. The first line says how many questions there are. Lines are
/// broken at blanks where they take more than `most` columns.
/// Reads the predictions.jsonl of the evaluations that are complete. Throws as read_run() does,
/// MissingInputError where there is no evaluation, and UsageError where no question has the
/// language, metric or record.
std::string shown_edits(const std::filesystem::path& run, const ShownQuestions& shown,
                        size_t most = kAnyWidth);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_SHOWN_EDITS_H_
