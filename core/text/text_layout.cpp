#include "core/text/text_layout.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>

namespace xkde {
namespace {

/// A column of a grid that is broken keeps as much. No number is as long.
constexpr size_t kNarrow = 24;
constexpr size_t kGap = 2;

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

/// Bytes of the character at the beginning of `text`, which is not empty.
size_t first_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return std::min(length, text.size());
}

size_t first_width(std::string_view text) {
  const size_t length = first_length(text);
  const auto lead = static_cast<unsigned char>(text.front());
  char32_t code = length == 1 ? lead : lead & (0x7fU >> length);
  for (size_t i = 1; i < length; ++i)
    code = (code << 6) | (static_cast<unsigned char>(text[i]) & 0x3fU);
  return width_of(code);
}

/// The longest beginning of whole characters in `most` columns, in bytes.
size_t beginning_in(std::string_view text, size_t most) {
  size_t end = 0;
  for (size_t width = 0; end < text.size();) {
    width += first_width(text.substr(end));
    if (width > most) break;
    end += first_length(text.substr(end));
  }
  return end;
}

/// Where a line is broken: the last blank behind a word up to which it takes at most `most`
/// columns, else the first behind a word; npos where it has none.
size_t break_in(std::string_view line, size_t most) {
  const size_t word = line.find_first_not_of(' ');
  if (word == line.npos) return line.npos;
  const size_t fitting = beginning_in(line, most);
  const size_t last = line.rfind(' ', fitting);
  if (last != line.npos && last > word) return last;
  return line.find(' ', word);
}

std::string without_blanks_behind(std::string_view text) {
  return std::string(text.substr(0, text.find_last_not_of(' ') + 1));
}

/// Where a word of more than `most` columns is broken: behind its last mark that fits, else where
/// it is full.
size_t break_in_word(std::string_view word, size_t most) {
  const size_t full = std::max(beginning_in(word, most), first_length(word));
  const size_t mark = word.substr(0, full).find_last_of(",./:;_-");
  return mark == word.npos || mark == 0 ? full : mark + 1;
}

/// A cell in lines of at most `most` columns.
std::vector<std::string> cell_lines(std::string_view cell, size_t most) {
  std::vector<std::string> lines;
  while (display_width(cell) > most) {
    size_t end = break_in(cell, most);
    if (end == cell.npos || display_width(cell.substr(0, end)) > most)
      end = break_in_word(cell, most);
    lines.push_back(without_blanks_behind(cell.substr(0, end)));
    cell.remove_prefix(std::min(cell.find_first_not_of(' ', end), cell.size()));
  }
  lines.emplace_back(cell);
  return lines;
}

std::vector<size_t> column_widths(const TextGrid& grid) {
  std::vector<size_t> widths(grid.front().size(), 0);
  for (const auto& line : grid) {
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], display_width(line[i]));
  }
  return widths;
}

size_t line_width(const std::vector<size_t>& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
}

/// With the widest columns narrower, as far as they may be, until a line fits.
std::vector<size_t> narrowed(std::vector<size_t> widths, size_t most) {
  while (line_width(widths) > most) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kNarrow) break;
    --*widest;
  }
  return widths;
}

/// What is narrowed and still too wide goes on in the next block. Each has the titles and at least
/// one more column.
std::vector<std::vector<size_t>> blocks_of(const std::vector<size_t>& widths,
                                           const GridLayout& layout) {
  std::vector<size_t> titles(std::min(layout.titles, widths.size()));
  std::iota(titles.begin(), titles.end(), 0);
  size_t begin = 0;
  for (const size_t i : titles) begin += widths[i] + kGap;
  std::vector<std::vector<size_t>> blocks{titles};
  size_t width = begin;
  for (size_t i = titles.size(); i < widths.size(); ++i) {
    const bool is_full = width + widths[i] > layout.most && blocks.back().size() > titles.size();
    if (is_full) {
      blocks.push_back(titles);
      width = begin;
    }
    blocks.back().push_back(i);
    width += widths[i] + kGap;
  }
  return blocks;
}

/// One line of a grid, in as many lines as its highest cell has.
std::string line_text(const std::vector<std::string>& line, const std::vector<size_t>& block,
                      const std::vector<size_t>& widths, const GridLayout& layout) {
  std::vector<std::vector<std::string>> cells;
  size_t height = 0;
  for (const size_t i : block) {
    cells.push_back(cell_lines(line[i], widths[i]));
    height = std::max(height, cells.back().size());
  }
  std::string text;
  for (size_t row = 0; row < height; ++row) {
    std::string out;
    for (size_t i = 0; i < cells.size(); ++i) {
      const std::string part = row < cells[i].size() ? cells[i][row] : "";
      const std::string padding(widths[block[i]] - std::min(widths[block[i]], display_width(part)),
                                ' ');
      if (i > 0) out.append(kGap, ' ');
      out += block[i] < layout.titles || layout.is_left ? part + padding : padding + part;
    }
    text += without_blanks_behind(out) + "\n";
  }
  return text;
}

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (; !text.empty(); text.remove_prefix(first_length(text))) width += first_width(text);
  return width;
}

std::string folded(std::string_view text, size_t most, size_t indent) {
  std::string lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string line(text.substr(0, end));
    while (display_width(line) > most) {
      const size_t at = break_in(line, most);
      const size_t next = at == line.npos ? line.npos : line.find_first_not_of(' ', at);
      if (next == line.npos) break;
      lines += without_blanks_behind(std::string_view(line).substr(0, at)) + "\n";
      line = std::string(indent, ' ') + line.substr(next);
    }
    lines += line;
    text.remove_prefix(end);
    if (text.empty()) break;
    lines += '\n';
    text.remove_prefix(1);
  }
  return lines;
}

std::string shortened(std::string_view text, size_t most) {
  if (display_width(text) <= most) return std::string(text);
  return std::string(text.substr(0, beginning_in(text, most - 1))) + "…";
}

std::string aligned(const TextGrid& grid, const GridLayout& layout) {
  const std::vector<size_t> whole = column_widths(grid);
  std::vector<size_t> widths = narrowed(whole, layout.most);
  if (line_width(widths) > layout.most && layout.titles <= whole.size()) {
    // Blocks anyway: what stands in each of them is easier to read whole.
    const auto end = whole.begin() + static_cast<std::ptrdiff_t>(layout.titles);
    const std::vector<size_t> titles = narrowed({whole.begin(), end}, layout.most / 2);
    std::copy(titles.begin(), titles.end(), widths.begin());
  }
  std::string text;
  for (const std::vector<size_t>& block : blocks_of(widths, layout)) {
    if (!text.empty()) text += '\n';
    for (const auto& line : grid) text += line_text(line, block, widths, layout);
  }
  return text;
}

size_t aligned_width(const TextGrid& grid) { return line_width(column_widths(grid)); }

}  // namespace xkde
