#ifndef XKDE_STAGES_REPORT_SHOWN_EDITS_H_
#define XKDE_STAGES_REPORT_SHOWN_EDITS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace xkde::report {

/// Which questions of a run are shown.
struct ShownQuestions {
  /// Only those whose last answer is not right: below 1 in token accuracy or, where the model
  /// answered freely, by the first scorer in some context.
  bool wrong = false;
  std::string language = {};           ///< of the question, as the recipe writes it; empty: all
  std::string metric = {};             ///< "portability" has its kinds, too; empty: all
  std::optional<int64_t> record = {};  ///< empty: all
  int64_t limit = 20;                  ///< questions, at most; 0: all
};

/// The questions of a run's evaluations for a person to read: fact, question and what is right,
/// then what was said in each evaluation, with its scores. The first line says how many there are.
/// Reads the predictions.jsonl of the evaluations that are complete. Throws as read_run() does,
/// MissingInputError where there is no evaluation, and UsageError where no question has the
/// language, metric or record.
std::string shown_edits(const std::filesystem::path& run, const ShownQuestions& shown);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_SHOWN_EDITS_H_
