#include "stages/report/page/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace xkde::report {
namespace {

constexpr double kWidth = 440, kHeight = 250;
constexpr double kLeft = 52, kRight = 96, kTop = 30, kBottom = 40;
constexpr size_t kColours = 8;
constexpr double kLabelHeight = 13;

std::string tick_text(double value) {
  if (value != 0 && (std::fabs(value) < 1e-3 || std::fabs(value) >= 1e6))
    return fmt::format("{:.0e}", value);
  return fmt::format("{:.6g}", value);
}

struct Axis {
  double low = 0;
  double high = 1;
  bool is_log = false;

  double share(double value) const {
    if (is_log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
    return (value - low) / (high - low);
  }
};

class Drawing {
 public:
  explicit Drawing(const LineChart& chart) : chart_(chart) {
    for (const ChartLine& line : chart.lines) {
      lines_.push_back({line.name, {}});
      for (const ChartPoint& point : line.points) {
        if (std::isfinite(point.x) && std::isfinite(point.y) && (!chart.has_log_x || point.x > 0))
          lines_.back().points.push_back(point);
      }
      has_points_ |= !lines_.back().points.empty();
    }
  }

  std::string text() {
    if (!has_points_)
      return "<p class=\"empty\">" + escaped(chart_.title) + ": nothing was measured.</p>\n";
    fit_axes();
    out_ = fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                       kWidth, kHeight, escaped(chart_.title));
    out_ +=
        "<title>" + escaped(chart_.title) + "</title><desc>" + escaped(description()) + "</desc>\n";
    out_ += fmt::format("<text class=\"title\" x=\"{:.0f}\" y=\"16\">", kLeft) +
            escaped(chart_.title) + "</text>\n";
    draw_ticks();
    for (size_t i = 0; i < lines_.size(); ++i)
      draw_line(lines_[i], i % kColours, i / kColours % 2 != 0);
    draw_names();
    return out_ + "</svg>\n";
  }

 private:
  void fit_axes() {
    x_ = y_ = {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
    for (const ChartLine& line : lines_) {
      for (const ChartPoint& point : line.points) {
        x_.low = std::min(x_.low, point.x);
        x_.high = std::max(x_.high, point.x);
        y_.low = std::min({y_.low, point.y, point.low});
        y_.high = std::max({y_.high, point.y, point.high});
      }
    }
    x_.is_log = chart_.has_log_x;
    if (x_.low == x_.high) {
      x_ = x_.is_log ? Axis{x_.low / 2, x_.high * 2, true} : Axis{x_.low - 1, x_.high + 1};
    }
    if (chart_.is_percent) {
      y_ = {0, 100};
    } else {
      const double room =
          y_.low == y_.high ? std::max(1e-12, std::fabs(y_.low)) * 0.5 : 0.05 * (y_.high - y_.low);
      y_ = {y_.low - room, y_.high + room};
    }
  }

  double at_x(double x) const { return kLeft + x_.share(x) * (kWidth - kLeft - kRight); }
  double at_y(double y) const {
    return kHeight - kBottom - y_.share(y) * (kHeight - kTop - kBottom);
  }

  void draw_ticks() {
    for (const double y : round_ticks(y_.low, y_.high, 5)) {
      out_ += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
          kWidth - kRight, at_y(y), at_y(y));
      out_ += fmt::format("<text class=\"tick end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                          kLeft - 6, at_y(y) + 4, tick_text(y));
    }
    std::set<double> xs;
    if (x_.is_log) {
      for (const ChartLine& line : lines_) {
        for (const ChartPoint& point : line.points) xs.insert(point.x);
      }
    } else {
      for (const double x : round_ticks(x_.low, x_.high, 5)) xs.insert(x);
    }
    double last = -1e9;
    for (const double x : xs) {
      if (at_x(x) - last < 30) continue;
      last = at_x(x);
      out_ += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", at_x(x),
                          kHeight - kBottom + 16, tick_text(x));
    }
    out_ += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:.1f}\">",
                        (kLeft + kWidth - kRight) / 2, kHeight - 6) +
            escaped(chart_.x_name) + "</text>\n";
  }

  /// Dashed: its colour has another line already.
  void draw_line(const ChartLine& line, size_t colour, bool is_dashed) {
    if (line.points.empty()) return;
    std::string path, upper, lower;
    bool has_band = false;
    for (const ChartPoint& point : line.points) {
      const char* const step = path.empty() ? "M" : "L";
      path += fmt::format("{}{:.1f} {:.1f}", step, at_x(point.x), at_y(point.y));
      upper += fmt::format("{}{:.1f} {:.1f}", step, at_x(point.x), at_y(point.high));
      lower = fmt::format("L{:.1f} {:.1f}", at_x(point.x), at_y(point.low)) + lower;
      has_band |= point.high > point.low;
    }
    if (has_band)
      out_ += fmt::format("<path class=\"band c{}\" d=\"", colour) + upper + lower + "Z\"/>\n";
    out_ += fmt::format("<path class=\"line c{}{}\" d=\"", colour, is_dashed ? " dashed" : "") +
            path + "\"/>\n";
    if (line.points.size() > 30) return;
    for (const ChartPoint& point : line.points) {
      out_ += fmt::format("<circle class=\"dot c{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\"><title>",
                          colour, at_x(point.x), at_y(point.y)) +
              escaped(line.name) +
              fmt::format(": {}, {:.4g}</title></circle>\n", tick_text(point.x), point.y);
    }
  }

  /// Names at the ends of their lines, moved apart.
  void draw_names() {
    std::vector<std::pair<double, size_t>> places;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (!lines_[i].points.empty()) places.emplace_back(at_y(lines_[i].points.back().y), i);
    }
    std::sort(places.begin(), places.end());
    for (size_t i = 1; i < places.size(); ++i)
      places[i].first = std::max(places[i].first, places[i - 1].first + kLabelHeight);
    double limit = kHeight - kBottom + 4;
    for (size_t i = places.size(); i-- > 0; limit -= kLabelHeight)
      places[i].first = std::min(places[i].first, limit);
    for (const auto& [y, i] : places) {
      out_ += fmt::format("<text class=\"name c{}\" x=\"{:.1f}\" y=\"{:.1f}\">", i % kColours,
                          kWidth - kRight + 6, y + 4) +
              escaped(lines_[i].name) + "</text>\n";
    }
  }

  std::string description() const {
    std::string text;
    for (const ChartLine& line : lines_) {
      if (line.points.empty()) continue;
      const ChartPoint& first = line.points.front();
      const ChartPoint& last = line.points.back();
      text += line.name + fmt::format(": {:.4g} at {:.6g}, {:.4g} at {:.6g}. ", first.y, first.x,
                                      last.y, last.x);
    }
    return text;
  }

  const LineChart& chart_;
  std::vector<ChartLine> lines_;
  bool has_points_ = false;
  Axis x_, y_;
  std::string out_;
};

}  // namespace

std::string draw(const LineChart& chart) { return Drawing(chart).text(); }

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::vector<double> round_ticks(double low, double high, int count) {
  const double span = high - low;
  if (!(span > 0) || count < 1) return {low};
  const double raw = span / count;
  const double unit = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * unit;
  for (const double nice : {1.0, 2.0, 5.0}) {
    if (raw <= nice * unit) {
      step = nice * unit;
      break;
    }
  }
  std::vector<double> ticks;
  for (double tick = std::ceil(low / step); tick * step <= high + 1e-9 * span; ++tick)
    ticks.push_back(tick * step);
  return ticks;
}

}  // namespace xkde::report
