#include "stages/report/evaluation_blocks.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/evaluate/extra_metrics.h"
#include "core/text/text_layout.h"
#include "stages/report/age_charts.h"

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
  blocks.back().benchmark = scope.benchmark;
  blocks.back().mode = scope.mode;
  return blocks.back();
}

/// The last evaluation of each run that is in this block; of one run the first and the last.
std::vector<std::string> shown_labels(const EvaluationBlock& block,
                                      std::span<const RunResults> runs) {
  std::vector<std::string> labels;
  if (runs.size() == 1 && block.labels.size() > 1) labels.push_back(block.labels.front());
  for (const RunResults& run : runs) {
    std::string last;
    for (const std::string& label : block.labels) {
      if (runs.size() == 1 || label.starts_with(run.name + ": ")) last = label;
    }
    if (!last.empty()) labels.push_back(last);
  }
  return labels;
}

/// ", batch 1, 743 in file order"; empty where that is not known.
std::string records_suffix(const EvaluationBlock& block, const std::string& label, int64_t size) {
  for (const LanguagePair& pair : block.pairs) {
    for (const std::string& metric : block.metrics) {
      const ResultRow* row = block.find(label, size, pair, metric);
      if (row == nullptr) continue;
      const std::string records = records_text(*row);
      return records.empty() ? ""
                             : ", batch " + counted(row->scope.batch) + ", records: " + records;
    }
  }
  return "";
}

/// What the runs found, each after the first with its difference, and what papers report; empty
/// where none found anything.
std::vector<std::string> comparison_line(const LanguagePair& pair, const std::string& metric,
                                         const std::vector<const ResultRow*>& cells) {
  std::vector<std::string> line{pair_text(pair), metric};
  std::string published;
  std::optional<double> first;
  for (const ResultRow* row : cells) {
    if (row == nullptr || !row->value) {
      line.emplace_back("–");
      continue;
    }
    std::string cell = value_text(*row->value, metric);
    if (first) cell += fmt::format(" ({:+.{}f})", *row->value - *first, decimals_of(metric));
    if (!first) first = *row->value;
    line.push_back(std::move(cell));
    if (!row->published.empty()) published = published_text(*row);
  }
  if (!first) return {};
  line.push_back(std::move(published));
  return line;
}

/// The block at one size: who is in which column, the columns, and which papers are named.
std::string comparison_block(const EvaluationBlock& block, int64_t size,
                             const std::vector<std::string>& labels, size_t most) {
  constexpr size_t kIndent = 6;
  std::string text = block.title;
  if (block.sizes.size() > 1 || size > 1) text += ", " + counted(size) + " edits";
  text = folded(text, most, kIndent) + "\n";
  TextGrid grid{{block.asks_edits() ? "edit → test" : "language", "metric"}};
  for (size_t i = 0; i < labels.size(); ++i) {
    grid.front().push_back(fmt::format("({})", i + 1));
    text +=
        folded(fmt::format("  ({}) {}{}", i + 1, labels[i], records_suffix(block, labels[i], size)),
               most, kIndent) +
        "\n";
  }
  grid.front().emplace_back("published");
  std::vector<const ResultRow*> shown;
  for (const LanguagePair& pair : block.pairs) {
    for (const std::string& metric : metrics_of(block, false)) {
      std::vector<const ResultRow*> cells;
      for (const std::string& label : labels)
        cells.push_back(block.find(label, size, pair, metric));
      std::vector<std::string> line = comparison_line(pair, metric, cells);
      if (!line.empty()) grid.push_back(std::move(line));
      std::ranges::copy_if(cells, std::back_inserter(shown),
                           [](const ResultRow* row) { return row != nullptr; });
    }
  }
  const std::string note = published_note(shown);
  if (note.empty()) {
    for (std::vector<std::string>& line : grid) line.pop_back();
  }
  if (grid.size() > 1) text += aligned(grid, {.most = most, .titles = 2});
  return note.empty() ? text : text + folded(note, most, kIndent) + "\n";
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
  // What a recipe asks for beside the accuracy of tokens: "exact.reliability".
  for (const ExtraMetric& extra : extra_metrics()) {
    if (metric.starts_with(concat(extra.name, ".")))
      return metric.find('.', extra.name.size() + 1) != std::string::npos;
  }
  constexpr std::string_view kHits = "retrieval.hit@";
  return metric.find('.', metric.starts_with(kHits) ? kHits.size() : 0) != std::string::npos;
}

std::vector<std::string> metrics_of(const EvaluationBlock& block, bool parts) {
  std::vector<std::string> metrics;
  std::copy_if(block.metrics.begin(), block.metrics.end(), std::back_inserter(metrics),
               [parts](const std::string& metric) {
                 return is_part(metric) == parts && !is_by_age(metric);
               });
  return metrics;
}

std::string counted(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t i = digits.size(); i > 3 && digits[i - 4] != '-'; i -= 3)
    digits.insert(i - 3, 1, ',');
  return digits;
}

std::string comparison_table(std::span<const RunResults> runs, size_t most) {
  std::string text;
  for (const EvaluationBlock& block : evaluation_blocks(runs)) {
    const std::vector<std::string> labels = shown_labels(block, runs);
    for (const int64_t size : block.sizes) {
      if (!text.empty()) text += '\n';
      text += comparison_block(block, size, labels, most);
    }
  }
  return text;
}

}  // namespace xkde::report
