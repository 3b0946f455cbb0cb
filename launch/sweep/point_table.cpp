#include "launch/sweep/point_table.h"

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "core/evaluate/results/results_table.h"

namespace xkde {
namespace {

constexpr std::string_view kColumnGap = "  ";
constexpr std::string_view kCutMark = "…";
constexpr size_t kLeastWidth = 6;  // columns of a cell that still says something

/// The end of a text, as wide as it may be.
std::string end_of(const std::string& text, size_t width) {
  if (display_width(text) <= width) return text;
  std::string_view rest = text;
  while (!rest.empty() && display_width(rest) + display_width(kCutMark) > width) {
    rest.remove_prefix(1);
    while (!rest.empty() && (static_cast<unsigned char>(rest.front()) & 0xC0U) == 0x80U)
      rest.remove_prefix(1);
  }
  return std::string(kCutMark).append(rest);
}

size_t total(const std::vector<size_t>& widths) {
  size_t sum = 0;
  for (const size_t width : widths) sum += width + (sum > 0 ? kColumnGap.size() : 0);
  return sum;
}

std::vector<size_t> widths_of(const std::vector<std::vector<std::string>>& lines) {
  std::vector<size_t> widths(lines.front().size());
  for (const std::vector<std::string>& line : lines) {
    for (size_t i = 0; i < line.size(); ++i)
      widths[i] = std::max(widths[i], display_width(line[i]));
  }
  return widths;
}

}  // namespace

std::string point_table(std::vector<std::vector<std::string>> lines, size_t width) {
  std::vector<size_t> widths = widths_of(lines);
  bool is_shorter = false;
  while (widths.size() > 1 && total(widths) + (is_shorter ? kColumnGap.size() + 1 : 0) > width) {
    const auto widest = std::max_element(widths.begin() + 1, widths.end());
    if (*widest > kLeastWidth) {
      --*widest;
    } else {
      widths.pop_back();
      is_shorter = true;
    }
  }
  std::string text;
  for (const std::vector<std::string>& line : lines) {
    std::string out;
    for (size_t i = 0; i < widths.size(); ++i) {
      const std::string cell = end_of(line[i], widths[i]);
      out += (i > 0 ? std::string(kColumnGap) : "") + cell;
      out.append(widths[i] - std::min(widths[i], display_width(cell)), ' ');
    }
    if (is_shorter) out.append(kColumnGap).append(kCutMark);
    out.erase(out.find_last_not_of(' ') + 1);
    text += out + "\n";
  }
  return text;
}

}  // namespace xkde
