#ifndef XKDE_STAGES_REPORT_EVALUATION_BLOCKS_H_
#define XKDE_STAGES_REPORT_EVALUATION_BLOCKS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "core/text/text_layout.h"
#include "stages/report/run_results.h"

namespace xkde::report {

/// What every benchmark asks.
inline constexpr std::string_view kMainMetrics[] = {"reliability", "generality", "locality",
                                                    "portability"};

/// What stands in one table: one benchmark in one mode. Lists are in the order of the files.
struct EvaluationBlock {
  std::string title;      ///< "zsre, sequential"
  std::string benchmark;  ///< "zsre"
  std::string mode;       ///< "sequential"
  std::vector<std::string>
      labels;  ///< of its evaluations, with the run's name where there are more
  std::vector<const Evaluation*> evaluations;  ///< that have a row in it
  std::vector<int64_t> sizes;
  std::vector<LanguagePair> pairs;
  std::vector<std::string> metrics;
  /// label, size, pair, metric; of evaluations alike in all of these the last one.
  std::map<std::tuple<std::string, int64_t, LanguagePair, std::string>, const ResultRow*> cells;

  /// Whether it is about edits, and not about what else the model can do.
  bool asks_edits() const { return sizes.back() > 0; }
  const ResultRow* find(const std::string& label, int64_t size, const LanguagePair& pair,
                        const std::string& metric) const;
};

/// Rows stay where `runs` has them.
std::vector<EvaluationBlock> evaluation_blocks(std::span<const RunResults> runs);

/// Whether a metric is part of another ("portability.Reasoning", "retrieval.hit@1.locality"); what
/// `extra_metrics` asks for is none ("exact.reliability").
bool is_part(const std::string& metric);
/// The metrics of a block that are (or are not) parts of others; those by age are curves.
std::vector<std::string> metrics_of(const EvaluationBlock& block, bool parts);

/// 12,345
std::string counted(int64_t value);

/// The runs side by side as text for a terminal: a row for each language pair and metric, a column
/// for each run with its last evaluation, and the difference to the first run. Of one run the
/// first evaluation, mostly before training, and the last. What papers report of a row stands at
/// its end. Lines take at most `most` columns as those of aligned().
std::string comparison_table(std::span<const RunResults> runs, size_t most = kAnyWidth);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_EVALUATION_BLOCKS_H_
