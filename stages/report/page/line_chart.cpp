#include "stages/report/page/line_chart.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

namespace xkde::report {
namespace {

constexpr double kWidth = 440, kPlotHeight = 180;
constexpr double kLeft = 66, kLeastRight = 18, kMostRight = 96, kBottom = 40;
constexpr size_t kColours = 8, kDashes = 5;
constexpr double kLabelHeight = 13, kTitleHeight = 15, kLegendHeight = 15, kSwatch = 26;
// Of 11px text, about: nothing measures it before a browser does. Wide letters are those behind
// Hangul Jamo.
constexpr double kLetter = 6.4, kWideLetter = 11.5, kTitleLetter = 7.2;
constexpr unsigned char kWideLead = 0xE1;

double width_of(std::string_view text) {
  double width = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80) width += byte > kWideLead ? kWideLetter : kLetter;
  }
  return width;
}

/// The text in lines that are at most so wide, broken at blanks where there are some.
std::vector<std::string> wrapped(const std::string& text, double most) {
  std::vector<std::string> lines;
  std::string line;
  size_t blank = std::string::npos;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins_letter = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins_letter && !line.empty() && width_of(line) + kWideLetter > most) {
      const bool has_blank = blank != std::string::npos && blank > 0;
      lines.push_back(line.substr(0, has_blank ? blank : line.size()));
      line = has_blank ? line.substr(blank + 1) : "";
      blank = std::string::npos;
    }
    if (text[i] == ' ') blank = line.size();
    line += text[i];
  }
  lines.push_back(line);
  return lines;
}

std::string tick_text(double value) {
  if (value == 0) return "0";  // not "-0"
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
    title_ = wrapped(chart.title, (kWidth - kLeft) * kLetter / kTitleLetter);
    top_ = 14 + kTitleHeight * static_cast<double>(title_.size());
    place_names();
    height_ = top_ + kPlotHeight + kBottom;
    for (const auto& [i, rows] : legend_)
      height_ += kLegendHeight * static_cast<double>(rows.size());
  }

  std::string text() {
    if (!has_points_)
      return "<p class=\"empty\">" + escaped(chart_.title) + ": nothing was measured.</p>\n";
    fit_axes();
    out_ = fmt::format("<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" aria-label=\"{}\">\n",
                       kWidth, height_, escaped(chart_.title));
    out_ +=
        "<title>" + escaped(chart_.title) + "</title><desc>" + escaped(description()) + "</desc>\n";
    for (size_t i = 0; i < title_.size(); ++i) {
      out_ += fmt::format("<text class=\"title\" x=\"{:.0f}\" y=\"{:.0f}\">", kLeft,
                          16 + kTitleHeight * static_cast<double>(i)) +
              escaped(title_[i]) + "</text>\n";
    }
    draw_ticks();
    for (size_t i = 0; i < lines_.size(); ++i) draw_line(lines_[i], i);
    if (legend_.empty()) {
      draw_names();
    } else {
      draw_legend();
    }
    return out_ + "</svg>\n";
  }

 private:
  /// Names stand at the ends of lines, or in a legend below where one is too long for that.
  void place_names() {
    double widest = 0;
    for (const ChartLine& line : lines_) {
      if (!line.points.empty()) widest = std::max(widest, width_of(line.name));
    }
    right_ = kMostRight;
    if (widest <= kMostRight - 8) return;
    right_ = kLeastRight;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (!lines_[i].points.empty())
        legend_.emplace_back(i, wrapped(lines_[i].name, kWidth - kSwatch - 24));
    }
  }

  /// Its colour and dashes, which come back together after forty lines only.
  static std::string look(size_t line) {
    return fmt::format("c{} d{}", line % kColours, line % kDashes);
  }

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

  double at_x(double x) const { return kLeft + x_.share(x) * (kWidth - kLeft - right_); }
  double at_y(double y) const { return top_ + (1 - y_.share(y)) * kPlotHeight; }

  void draw_ticks() {
    for (const double y : round_ticks(y_.low, y_.high, 5)) {
      out_ += fmt::format(
          "<line class=\"grid\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft,
          kWidth - right_, at_y(y), at_y(y));
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
      const double half = width_of(tick_text(x)) / 2;
      if (at_x(x) - half - last < 6) continue;
      last = at_x(x) + half;
      out_ += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", at_x(x),
                          top_ + kPlotHeight + 16, tick_text(x));
    }
    out_ += fmt::format("<text class=\"tick mid\" x=\"{:.1f}\" y=\"{:.1f}\">",
                        (kLeft + kWidth - right_) / 2, top_ + kPlotHeight + 34) +
            escaped(chart_.x_name) + "</text>\n";
    const std::string y_name = chart_.is_percent ? "percent" : chart_.y_name;
    out_ += fmt::format("<text class=\"tick mid\" transform=\"translate(14 {:.1f}) rotate(-90)\">",
                        top_ + kPlotHeight / 2) +
            escaped(y_name) + "</text>\n";
  }

  void draw_line(const ChartLine& line, size_t number) {
    const size_t colour = number % kColours;
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
    out_ += fmt::format("<path class=\"line {}\" d=\"", look(number)) + path + "\"/>\n";
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
    double limit = top_ + kPlotHeight + 4;
    for (size_t i = places.size(); i-- > 0; limit -= kLabelHeight)
      places[i].first = std::min(places[i].first, limit);
    for (const auto& [y, i] : places) {
      out_ += fmt::format("<text class=\"name c{}\" x=\"{:.1f}\" y=\"{:.1f}\">", i % kColours,
                          kWidth - right_ + 6, y + 4) +
              escaped(lines_[i].name) + "</text>\n";
    }
  }

  /// Each name behind a piece of its line.
  void draw_legend() {
    double y = top_ + kPlotHeight + kBottom + 8;
    for (const auto& [i, rows] : legend_) {
      out_ += fmt::format("<path class=\"line {}\" d=\"M12 {:.1f}h{:.0f}\"/>\n", look(i), y - 4,
                          kSwatch);
      for (const std::string& row : rows) {
        out_ += fmt::format("<text class=\"name c{}\" x=\"{:.0f}\" y=\"{:.1f}\">", i % kColours,
                            kSwatch + 18, y) +
                escaped(row) + "</text>\n";
        y += kLegendHeight;
      }
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
  std::vector<std::string> title_;
  std::vector<std::pair<size_t, std::vector<std::string>>> legend_;  ///< lines, and their names
  double top_ = 0, right_ = 0, height_ = 0;
  Axis x_, y_;
  std::string out_;
};

}  // namespace

std::string draw(const LineChart& chart) { return Drawing(chart).text(); }

std::string figure(const LineChart& chart) { return "<figure>" + draw(chart) + "</figure>\n"; }

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
