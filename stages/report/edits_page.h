#ifndef XKDE_STAGES_REPORT_EDITS_PAGE_H_
#define XKDE_STAGES_REPORT_EDITS_PAGE_H_

#include <cstddef>
#include <string>

#include "stages/report/asked_questions.h"
#include "stages/report/run_results.h"

namespace xkde::report {

inline constexpr size_t kMostPageBytes = 400'000;
/// No more fit in as many bytes, however short they are.
inline constexpr size_t kMostPageQuestions = 3'500;

/// "04-evaluate.html", in report/ of the run's folder.
std::string edits_page_name(const Evaluation& evaluation);

/// A page on which a person reads what an evaluation of edits asked: each question with its fact,
/// what is right, and what all evaluations of the run said to it, side by side. It filters by
/// languages, kind of question, mode, context and words, and by what is wrong. It works without a
/// network, with the keyboard alone and on a phone. All that it shows is text in a block of JSON,
/// which its own script reads. Equal results give equal bytes.
/// Questions stand in the order of the evaluation's file. Those that would make the page larger
/// than `most_bytes` are left out, and so are all behind the first of them; the page counts them.
/// `evaluation` is one of `run`'s, `asked` is what first_questions() read of it. Throws
/// Json::exception where a line lacks what every prediction has.
std::string edits_page(const RunResults& run, const Evaluation& evaluation,
                       const AskedQuestions& asked, size_t most_bytes = kMostPageBytes);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_EDITS_PAGE_H_
