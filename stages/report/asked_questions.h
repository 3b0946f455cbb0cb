#ifndef XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_
#define XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/io/json_file.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// What one evaluation found about a question.
struct Told {
  const Evaluation* evaluation = nullptr;
  Json line;           ///< of its predictions.jsonl
  int64_t number = 0;  ///< of the line, from 1
};

/// Calls `use` with the first `most` lines of an evaluation's predictions.jsonl and their numbers,
/// which may take a line. Returns how many lines there are up to there. Throws IoError, and
/// DataError that names file and line, also where `use` finds a key missing or of another type.
int64_t each_prediction(const RunResults& run, const Evaluation& evaluation, size_t most,
                        const std::function<void(Json& line, int64_t number)>& use);

/// Questions of a run, in the order in which the first evaluation asks them: each with what the
/// evaluations that ask it found, in their order, at least one.
struct AskedQuestions {
  std::vector<std::vector<Told>> questions;
  std::vector<int64_t> counts;  ///< lines of each evaluation of the run; 0 where it is not of edits
};

/// Reads the predictions.jsonl of the evaluations of edits. Holds the questions that are among the
/// first `first` of some evaluation, and no others. `run` outlives what is returned. Throws
/// IoError, and DataError that names file and line.
AskedQuestions first_questions(const RunResults& run, size_t first);
/// All of them.
std::vector<std::vector<Told>> asked_questions(const RunResults& run);

/// Whether an answer in one context, an object of `free`, is right: by the verdict of a fact check,
/// elsewhere by the first scorer.
bool is_right_answer(const Json& told);
/// Whether a line is right: in every context, and without free answers by all tokens.
bool is_right(const Json& line);
/// Whether the target of a line is what the answer must not say.
bool is_negated(const Json& line);
/// "exact 1, f1 0.67, did not stop": an object of `free`.
std::string scores_text(const Json& told);

/// "single", "batch of 10", "sequential of 10, seed 2": how the edits of a line were shown.
std::string mode_text(const Json& line);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_ASKED_QUESTIONS_H_
