#include "stages/report/age_charts.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "stages/report/page/line_chart.h"

namespace xkde::report {
namespace {

constexpr std::string_view kAge = "age.";
constexpr std::string_view kAtOnce = "at_once.";
constexpr std::string_view kFreeAnswers = "free.";

/// "age.2-5.at_once.free.chat.exact.reliability", read.
struct AgedMetric {
  double x = 0;       ///< the geometric middle of the ages
  std::string chart;  ///< "" for token accuracy, or "free.chat.exact"
  std::string line;   ///< "reliability", "reliability, at once"
};

std::optional<AgedMetric> aged_metric(const std::string& metric) {
  if (!is_by_age(metric)) return std::nullopt;
  std::string_view rest = std::string_view(metric).substr(kAge.size());
  const std::string ages(rest.substr(0, rest.find('.')));
  if (ages.size() == rest.size()) return std::nullopt;
  rest.remove_prefix(ages.size() + 1);
  const size_t dash = ages.find('-');
  const double first = std::strtod(ages.c_str(), nullptr);
  const double last =
      dash == std::string::npos ? first : std::strtod(ages.c_str() + dash + 1, nullptr);
  if (first < 1 || last < first) return std::nullopt;
  AgedMetric read{.x = std::sqrt(first * last), .chart = "", .line = ""};
  const bool is_at_once = rest.starts_with(kAtOnce);
  if (is_at_once) rest.remove_prefix(kAtOnce.size());
  const size_t dot = rest.rfind('.');
  if (dot != std::string_view::npos) read.chart = rest.substr(0, dot);
  read.line = rest.substr(dot == std::string_view::npos ? 0 : dot + 1);
  if (is_at_once) read.line += ", at once";
  return read;
}

/// The mean over the language pairs that have a value.
std::optional<ChartPoint> mean_point(const EvaluationBlock& block, const std::string& label,
                                     const std::string& metric, double x) {
  double sum = 0;
  int n = 0;
  for (const LanguagePair& pair : block.pairs) {
    const ResultRow* row = block.find(label, block.sizes.back(), pair, metric);
    if (row == nullptr || !row->value) continue;
    sum += *row->value;
    ++n;
  }
  if (n == 0) return std::nullopt;
  return ChartPoint{x, sum / n, sum / n, sum / n};
}

/// "free.chat" of "free.chat.exact".
std::string context_of(const std::string& chart) { return chart.substr(0, chart.rfind('.')); }

LineChart& chart_of(std::vector<LineChart>& charts, const std::string& title) {
  for (LineChart& chart : charts) {
    if (chart.title == title) return chart;
  }
  charts.push_back(
      {.title = title, .x_name = "edits ago", .lines = {}, .has_log_x = true, .is_percent = true});
  return charts.back();
}

ChartLine& line_of(LineChart& chart, const std::string& name) {
  for (ChartLine& line : chart.lines) {
    if (line.name == name) return line;
  }
  chart.lines.push_back({name, {}});
  return chart.lines.back();
}

/// The charts of free answers that are not by the first scorer of their context.
std::set<std::string> further_scorers(const EvaluationBlock& block) {
  std::set<std::string> contexts, first, further;
  for (const std::string& metric : block.metrics) {
    const auto aged = aged_metric(metric);
    if (!aged || !aged->chart.starts_with(kFreeAnswers)) continue;
    if (contexts.insert(context_of(aged->chart)).second) first.insert(aged->chart);
    if (!first.contains(aged->chart)) further.insert(aged->chart);
  }
  return further;
}

}  // namespace

bool is_by_age(const std::string& metric) { return metric.starts_with(kAge); }

std::string age_charts(const EvaluationBlock& block) {
  const std::set<std::string> left_out = further_scorers(block);
  std::vector<LineChart> charts;
  for (const std::string& label : block.labels) {
    for (const std::string& metric : block.metrics) {
      const auto aged = aged_metric(metric);
      if (!aged || left_out.contains(aged->chart)) continue;
      const auto point = mean_point(block, label, metric, aged->x);
      if (!point) continue;
      const std::string title = aged->chart.empty() ? label : concat(label, ", ", aged->chart);
      line_of(chart_of(charts, title), aged->line).points.push_back(*point);
    }
  }
  if (charts.empty()) return "";
  std::string text = concat("<h3>By age of the edit, ", block.sizes.back(),
                            " edits</h3>\n<div class=\"charts\">\n");
  for (LineChart& chart : charts) {
    for (ChartLine& line : chart.lines) {
      std::sort(line.points.begin(), line.points.end(),
                [](const ChartPoint& a, const ChartPoint& b) { return a.x < b.x; });
    }
    text += figure(chart);
  }
  return text +
         "</div>\n<p class=\"sub\">At once: the same facts, asked right after each was "
         "edited.</p>\n";
}

}  // namespace xkde::report
