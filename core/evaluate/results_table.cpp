#include "core/evaluate/results_table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include <fmt/format.h>

namespace xkde {

namespace {

/// The values that evaluations of one run found, in their order.
using Cell = std::vector<const ResultRow*>;

/// One block; pairs and metrics in the order of their first row.
struct Block {
  std::string title;
  std::vector<std::string> metrics;
  std::vector<LanguagePair> pairs;
  std::map<std::pair<LanguagePair, std::string>, Cell> cells;
};

using Grid = std::vector<std::vector<std::string>>;

template <typename T>
void add_once(std::vector<T>& list, const T& value) {
  if (std::find(list.begin(), list.end(), value) == list.end()) list.push_back(value);
}

/// Parts of a metric ("portability.Reasoning", "f1.locality") are for files and reports.
bool is_shown(const std::string& metric) {
  constexpr std::string_view kHits = "retrieval.hit@";
  const size_t after = metric.starts_with(kHits) ? kHits.size() : 0;
  return metric.find('.', after) == std::string::npos;
}

std::string title_of(const EvalScope& scope) {
  std::string title = scope.benchmark + ", " + scope.mode;
  if (scope.mode != "single") title += ", " + std::to_string(scope.size) + " edits";
  if (scope.eval_when == "immediate") title += ", each asked at once";
  if (scope.method != "xkde") title += ", method " + scope.method;
  return title;
}

std::vector<Block> blocks_of(const std::vector<ResultRow>& rows) {
  std::vector<Block> blocks;
  std::map<std::string, size_t> positions;
  for (const ResultRow& row : rows) {
    if (!is_shown(row.metric)) continue;
    const std::string key = title_of(row.scope);
    const auto [position, is_new] = positions.emplace(key, blocks.size());
    if (is_new) {
      blocks.emplace_back();
      blocks.back().title = key;
    }
    Block& block = blocks[position->second];
    const LanguagePair pair{row.edit_language, row.test_language};
    add_once(block.metrics, row.metric);
    add_once(block.pairs, pair);
    block.cells[{pair, row.metric}].push_back(&row);
  }
  return blocks;
}

std::string value_text(const ResultRow* row) {
  return row->value ? fmt::format("{:.2f}", *row->value) : "-";
}

/// "54.80 → 73.80 (+19.00)", "54.80 → 73.80 → 74.10"; narrow: the last value and its gain over the
/// first.
std::string cell_text(const Cell& cell, bool is_narrow) {
  if (cell.empty()) return "-";
  const ResultRow& first = *cell.front();
  const ResultRow& last = *cell.back();
  std::string text;
  if (!is_narrow) {
    for (size_t i = 0; i + 1 < cell.size(); ++i) text += value_text(cell[i]) + " → ";
  }
  text += value_text(&last);
  const bool has_gain = cell.size() == 2 || (is_narrow && cell.size() > 2);
  if (!has_gain || !first.value || !last.value) return text;
  return text + fmt::format(" ({:+.2f})", *last.value - *first.value);
}

Grid grid_of(const Block& block, bool is_narrow) {
  Grid grid{{"edit → test"}};
  grid.front().insert(grid.front().end(), block.metrics.begin(), block.metrics.end());
  for (const LanguagePair& pair : block.pairs) {
    std::vector<std::string> line{pair.first + " → " + pair.second};
    for (const std::string& metric : block.metrics) {
      const auto cell = block.cells.find({pair, metric});
      line.push_back(cell_text(cell == block.cells.end() ? Cell{} : cell->second, is_narrow));
    }
    grid.push_back(std::move(line));
  }
  return grid;
}

std::vector<size_t> column_widths(const Grid& grid) {
  std::vector<size_t> widths(grid.front().size(), 0);
  for (const auto& line : grid) {
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], display_width(line[i]));
  }
  return widths;
}

size_t line_width(const std::vector<size_t>& widths) {
  size_t width = 2 * (widths.size() - 1);
  for (const size_t column : widths) width += column;
  return width;
}

/// The first column flush left, the others flush right.
std::string render(const Grid& grid) {
  const std::vector<size_t> widths = column_widths(grid);
  std::string text;
  for (const auto& line : grid) {
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string padding(widths[i] - display_width(line[i]), ' ');
      text += i == 0 ? line[i] + padding : "  " + padding + line[i];
    }
    text += '\n';
  }
  return text;
}

struct Range {
  char32_t first;
  char32_t last;
};

template <size_t N>
bool is_in(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
    return code >= range.first && code <= range.last;
  });
}

size_t width_of(char32_t code) {
  static constexpr std::array<Range, 5> kCombining{
      {{0x0300, 0x036f}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e}, {0x200b, 0x200f}}};
  static constexpr std::array<Range, 7> kWide{{{0x1100, 0x115f},
                                               {0x2e80, 0xa4cf},
                                               {0xac00, 0xd7a3},
                                               {0xf900, 0xfaff},
                                               {0xfe30, 0xfe6f},
                                               {0xff00, 0xff60},
                                               {0x1f300, 0x3fffd}}};
  if (is_in(kCombining, code)) return 0;
  return is_in(kWide, code) ? 2 : 1;
}

}  // namespace

std::string results_table(const std::vector<ResultRow>& rows, size_t max_width) {
  std::string text;
  for (const Block& block : blocks_of(rows)) {
    Grid grid = grid_of(block, false);
    if (line_width(column_widths(grid)) > max_width) grid = grid_of(block, true);
    text += (text.empty() ? "" : "\n") + block.title + "\n" + render(grid);
  }
  return text;
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t code = length == 1 ? lead : lead & (0x7fU >> length);
    for (size_t j = 1; j < length && i + j < text.size(); ++j) {
      code = (code << 6) | (static_cast<unsigned char>(text[i + j]) & 0x3fU);
    }
    width += width_of(code);
    i += length;
  }
  return width;
}

}  // namespace xkde
