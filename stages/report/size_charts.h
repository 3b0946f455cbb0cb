#ifndef XKDE_STAGES_REPORT_SIZE_CHARTS_H_
#define XKDE_STAGES_REPORT_SIZE_CHARTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "stages/report/evaluation_blocks.h"
#include "stages/report/page/line_chart.h"

namespace xkde::report {

/// The mean over some language pairs, with the mean of their bounds where all have them. Nothing
/// where none has a value.
std::optional<ChartPoint> mean_over(const EvaluationBlock& block,
                                    const std::vector<LanguagePair>& pairs,
                                    const std::string& label, int64_t size,
                                    const std::string& metric);

/// Curves over the number of edits, for a block with several: each evaluation with its metrics,
/// and, where there are more, each metric with all evaluations.
std::string size_charts(const EvaluationBlock& block);

/// Several benchmarks in one mode: a table and curves of the means over them. A mean is there only
/// where all of them have a value. Empty where no two blocks share mode, evaluation and number of
/// edits.
std::string benchmark_means(std::span<const EvaluationBlock> blocks);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_SIZE_CHARTS_H_
