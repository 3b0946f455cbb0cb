#ifndef XKDE_CORE_EVALUATE_RESULTS_RESULTS_TABLE_H_
#define XKDE_CORE_EVALUATE_RESULTS_RESULTS_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "core/evaluate/results/result_rows.h"
#include "core/text/text_layout.h"

namespace xkde {

/// Results as text for a terminal: one block for each (benchmark, mode, size, method), one row for
/// each pair "en → es" or, where no edit is asked, each language, one column for each metric, parts
/// of metrics left out. A cell reads "45.20 → 73.80 (+28.60)" where two evaluations are among the
/// rows, "45.20 → 73.80 → 74.60" where more are, in the order of the rows, the value alone where
/// one is, "-" where n is 0. Of
/// rows by seed the means stand alone, "73.80±1.20" with the spread. A value that papers report for
/// the last of them follows as "[published 99.93*]", and a line below the block names the papers.
/// Where rows say so, columns have the edits of a batch and the records. Free answers have a block
/// of their own, with one row for each pair, context and metric, and one column for each scorer.
/// Lines take at most `most` columns as those of aligned(). Ends with a newline; empty for no rows.
std::string results_table(const std::vector<ResultRow>& rows, size_t most = kAnyWidth);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_RESULTS_RESULTS_TABLE_H_
