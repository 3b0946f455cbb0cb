#include "core/evaluate/results/results_table.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/plural.h"

namespace xkde {

namespace {

/// The values that evaluations of one run found, in their order.
using Cell = std::vector<const ResultRow*>;

/// One block; lines and columns in the order of their first row.
struct Block {
  std::string title;
  std::string heading;  ///< of the first column
  std::vector<std::string> lines;
  std::vector<std::string> columns;
  std::map<std::string, const ResultRow*> last;               ///< of each line
  std::map<std::pair<std::string, std::string>, Cell> cells;  ///< by line and column
};

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

constexpr std::string_view kFree = "free.";

/// Parts of a metric ("portability.Reasoning", "f1.locality") are for files and reports.
bool is_shown(const std::string& metric) {
  constexpr std::string_view kHits = "retrieval.hit@";
  const size_t after = metric.starts_with(kHits) ? kHits.size() : 0;
  return metric.find('.', after) == std::string::npos;
}

std::string title_of(const EvalScope& scope) {
  std::string title = scope.benchmark + ", " + scope.mode;
  if (!scope.asks_edits()) return title;
  if (scope.mode != "single") title += ", " + count_of(scope.size, "edit");
  if (scope.eval_when == "immediate") title += ", each asked at once";
  if (scope.method != "xkde") title += ", method " + scope.method;
  return title;
}

/// Where a row stands in its block.
struct Place {
  std::string block, heading, line, column;
};

/// Nothing for a row that is not shown. "free.chat.f1.locality" is in column f1 of the line
/// "en → es, chat, locality".
std::optional<Place> place_of(const ResultRow& row) {
  const std::string pair = pair_text({row.edit_language, row.test_language});
  const std::string title = title_of(row.scope);
  const char* heading = row.scope.asks_edits() ? "edit → test" : "language";
  if (is_shown(row.metric)) return Place{title, heading, pair, row.metric};
  std::string_view rest = row.metric;
  if (!rest.starts_with(kFree)) return std::nullopt;
  rest.remove_prefix(kFree.size());
  const size_t first = rest.find('.'), second = rest.find('.', first + 1);
  if (second == std::string_view::npos || rest.find('.', second + 1) != std::string_view::npos)
    return std::nullopt;
  return Place{title + ", answered freely", "edit → test, context, metric",
               concat(pair, ", ", rest.substr(0, first), ", ", rest.substr(second + 1)),
               std::string(rest.substr(first + 1, second - first - 1))};
}

std::vector<Block> blocks_of(const std::vector<ResultRow>& rows) {
  std::vector<Block> blocks;
  std::map<std::string, size_t> positions;
  for (const ResultRow& row : rows) {
    const std::optional<Place> place = place_of(row);
    if (!place || row.scope.seed) continue;
    const auto [position, is_new] = positions.emplace(place->block, blocks.size());
    if (is_new) blocks.push_back({place->block, place->heading, {}, {}, {}, {}});
    Block& block = blocks[position->second];
    add_once(block.lines, place->line);
    add_once(block.columns, place->column);
    block.cells[{place->line, place->column}].push_back(&row);
    block.last[place->line] = &row;
  }
  return blocks;
}

std::string text_of(const ResultRow* row) {
  if (!row->value) return "-";
  const std::string spread = row->spread ? "±" + value_text(*row->spread, row->metric) : "";
  return value_text(*row->value, row->metric) + spread;
}

/// "+19.00", "-0.0312".
std::string gain_text(double gain, const std::string& metric) {
  return fmt::format("{:+.{}f}", gain, decimals_of(metric));
}

/// "54.80 → 73.80 (+19.00)", "54.80 → 73.80 → 74.10".
std::string cell_text(const Cell& cell) {
  if (cell.empty()) return "-";
  const ResultRow& first = *cell.front();
  const ResultRow& last = *cell.back();
  std::string text;
  for (size_t i = 0; i + 1 < cell.size(); ++i) text += text_of(cell[i]) + " → ";
  text += text_of(&last);
  if (cell.size() == 2 && first.value && last.value)
    text += " (" + gain_text(*last.value - *first.value, last.metric) + ")";
  if (!last.published.empty()) text += " [published " + published_text(last) + "]";
  return text;
}

/// Whether it is known of every line which records it is about.
bool has_records(const Block& block) {
  return std::ranges::all_of(block.last,
                             [](const auto& line) { return !records_text(*line.second).empty(); });
}

/// Where its published values come from, a line; empty where it has none.
std::string note_of(const Block& block) {
  std::vector<const ResultRow*> shown;
  for (const auto& [place, cell] : block.cells) {
    if (!cell.empty()) shown.push_back(cell.back());
  }
  const std::string note = published_note(shown);
  return note.empty() ? "" : note + "\n";
}

TextGrid grid_of(const Block& block) {
  TextGrid grid{{block.heading}};
  const bool says_records = has_records(block);
  if (says_records) grid.front().insert(grid.front().end(), {"batch", "records"});
  grid.front().insert(grid.front().end(), block.columns.begin(), block.columns.end());
  for (const std::string& name : block.lines) {
    std::vector<std::string> line{name};
    const ResultRow& row = *block.last.at(name);
    if (says_records) line.insert(line.end(), {std::to_string(row.scope.batch), records_text(row)});
    for (const std::string& column : block.columns) {
      const auto cell = block.cells.find({name, column});
      line.push_back(cell_text(cell == block.cells.end() ? Cell{} : cell->second));
    }
    grid.push_back(std::move(line));
  }
  return grid;
}

}  // namespace

std::string results_table(const std::vector<ResultRow>& rows, size_t most) {
  constexpr size_t kIndent = 2;
  std::string text;
  for (const Block& block : blocks_of(rows)) {
    if (!text.empty()) text += '\n';
    text += folded(block.title, most, kIndent) + "\n" + aligned(grid_of(block), {.most = most}) +
            folded(note_of(block), most, kIndent);
  }
  return text;
}

}  // namespace xkde
