#ifndef XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_
#define XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_

#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// What one evaluation found about a question.
struct Told {
  const Evaluation* evaluation = nullptr;
  Json line;  ///< of its predictions.jsonl
};

/// The questions of a run, in the order in which the first evaluation asks them: each with what the
/// evaluations that ask it found, in their order, at least one. Reads the predictions.jsonl of the
/// evaluations of edits. `run` outlives what is returned. Throws IoError, and DataError that names
/// file and line.
std::vector<std::vector<Told>> asked_questions(const RunResults& run);

/// "single", "batch of 10", "sequential of 10, seed 2": how the edits of a line were shown.
std::string mode_text(const Json& line);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_
