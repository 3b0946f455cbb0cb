#include "stages/watch/braille_plot.h"

#include <algorithm>
#include <cmath>

#include "core/text/regex/unicode.h"

namespace xkde::recipe {
namespace {

constexpr int64_t kDotsAcross = 2, kDotsDown = 4;
/// Of the dot in row r and column c of a character (Unicode, block Braille Patterns).
constexpr int kDotBits[kDotsDown][kDotsAcross] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

/// Dots of a plot; (0, 0) is at the top left.
class Canvas {
 public:
  Canvas(int64_t columns, int64_t rows)
      : columns_(columns), cells_(static_cast<size_t>(columns * rows), 0) {}

  void set(int64_t x, int64_t y) {
    const int64_t cell = y / kDotsDown * columns_ + x / kDotsAcross;
    cells_[static_cast<size_t>(cell)] |= kDotBits[y % kDotsDown][x % kDotsAcross];
  }

  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (size_t i = 0; i < cells_.size(); ++i) {
      if (i % static_cast<size_t>(columns_) == 0) lines.emplace_back();
      unicode::append(lines.back(), static_cast<char32_t>(0x2800 + cells_[i]));
    }
    return lines;
  }

 private:
  int64_t columns_;
  std::vector<int> cells_;
};

/// Where `value` of [low, high] lies among `count` dots; in the middle where the range is empty.
int64_t dot_of(double value, double low, double high, int64_t count) {
  if (high <= low) return count / 2;
  return std::lround((value - low) / (high - low) * static_cast<double>(count - 1));
}

}  // namespace

std::vector<std::string> braille_plot(std::span<const std::pair<double, double>> points,
                                      int64_t columns, int64_t rows) {
  Canvas canvas(columns, rows);
  std::vector<std::pair<double, double>> drawn;
  for (const auto& point : points) {
    if (std::isfinite(point.first) && std::isfinite(point.second)) drawn.push_back(point);
  }
  if (drawn.empty()) return canvas.lines();
  const auto by_height = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto [lowest, highest] = std::minmax_element(drawn.begin(), drawn.end(), by_height);
  const int64_t width = columns * kDotsAcross, height = rows * kDotsDown;
  int64_t before_x = 0, before_y = 0;
  for (size_t i = 0; i < drawn.size(); ++i) {
    const int64_t x = dot_of(drawn[i].first, drawn.front().first, drawn.back().first, width);
    const int64_t y = height - 1 - dot_of(drawn[i].second, lowest->second, highest->second, height);
    const int64_t steps = i == 0 ? 0 : std::max(std::abs(x - before_x), std::abs(y - before_y));
    canvas.set(x, y);
    for (int64_t s = 1; s < steps; ++s)
      canvas.set(before_x + (x - before_x) * s / steps, before_y + (y - before_y) * s / steps);
    before_x = x;
    before_y = y;
  }
  return canvas.lines();
}

}  // namespace xkde::recipe
