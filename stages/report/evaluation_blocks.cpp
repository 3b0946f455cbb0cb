#include "stages/report/evaluation_blocks.h"

#include <algorithm>

namespace xkde::report {
namespace {

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

EvaluationBlock& block_of(std::vector<EvaluationBlock>& blocks, const EvalScope& scope) {
  std::string title = scope.benchmark + ", " + scope.mode;
  if (scope.eval_when == "immediate") title += ", each asked at once";
  for (EvaluationBlock& block : blocks) {
    if (block.title == title) return block;
  }
  blocks.emplace_back();
  blocks.back().title = title;
  return blocks.back();
}

}  // namespace

const ResultRow* EvaluationBlock::find(const std::string& label, int64_t size,
                                       const LanguagePair& pair, const std::string& metric) const {
  const auto found = cells.find({label, size, pair, metric});
  return found == cells.end() ? nullptr : found->second;
}

std::vector<EvaluationBlock> evaluation_blocks(std::span<const RunResults> runs) {
  std::vector<EvaluationBlock> blocks;
  for (const RunResults& run : runs) {
    for (const Evaluation& evaluation : run.evaluations) {
      const std::string label =
          runs.size() > 1 ? run.name + ": " + evaluation.label : evaluation.label;
      for (const ResultRow& row : evaluation.rows) {
        if (row.scope.seed) continue;  // What stands in tables is the mean over seeds.
        EvaluationBlock& block = block_of(blocks, row.scope);
        const LanguagePair pair{row.edit_language, row.test_language};
        add_once(block.labels, label);
        add_once(block.evaluations, &evaluation);
        add_once(block.sizes, row.scope.size);
        add_once(block.pairs, pair);
        add_once(block.metrics, row.metric);
        block.cells[{label, row.scope.size, pair, row.metric}] = &row;
      }
    }
  }
  for (EvaluationBlock& block : blocks) std::sort(block.sizes.begin(), block.sizes.end());
  return blocks;
}

bool is_part(const std::string& metric) {
  constexpr std::string_view kHits = "retrieval.hit@";
  return metric.find('.', metric.starts_with(kHits) ? kHits.size() : 0) != std::string::npos;
}

}  // namespace xkde::report
