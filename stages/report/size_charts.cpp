#include "stages/report/size_charts.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

namespace xkde::report {
namespace {

std::string x_name(const std::string& mode) {
  return mode.starts_with("batch") ? "edits in a batch" : "edits in the stream";
}

/// A chart of each metric, a line of each evaluation. `point(label, size, metric)` may be nothing.
template <typename Point>
std::string metric_charts(const std::vector<std::string>& labels, const std::vector<int64_t>& sizes,
                          const std::string& mode, const Point& point) {
  std::string text;
  for (const std::string_view metric : kMainMetrics) {
    LineChart chart{.title = std::string(metric),
                    .x_name = x_name(mode),
                    .lines = {},
                    .has_log_x = true,
                    .is_percent = true};
    for (const std::string& label : labels) {
      ChartLine line{label, {}};
      for (const int64_t size : sizes) {
        std::optional<ChartPoint> found = point(label, size, std::string(metric));
        if (!found) continue;
        // Bands of many lines hide one another.
        found->low = found->high = found->y;
        line.points.push_back(*found);
      }
      if (!line.points.empty()) chart.lines.push_back(std::move(line));
    }
    if (!chart.lines.empty()) text += figure(chart);
  }
  return text.empty() ? "" : "<div class=\"charts\">\n" + text + "</div>\n";
}

/// Blocks of one mode.
struct ModeGroup {
  std::string mode;
  std::vector<const EvaluationBlock*> blocks;
  std::vector<std::string> labels;  ///< that all blocks have
  std::vector<int64_t> sizes;       ///< that any has

  std::optional<ChartPoint> mean(const std::string& label, int64_t size,
                                 const std::string& metric) const {
    ChartPoint mean{static_cast<double>(size), 0, 0, 0};
    for (const EvaluationBlock* block : blocks) {
      const auto one = mean_over(*block, block->pairs, label, size, metric);
      if (!one) return std::nullopt;
      mean.y += one->y / static_cast<double>(blocks.size());
    }
    mean.low = mean.high = mean.y;
    return mean;
  }
};

std::vector<ModeGroup> groups_of(std::span<const EvaluationBlock> blocks) {
  std::vector<ModeGroup> groups;
  for (const EvaluationBlock& block : blocks) {
    if (!block.asks_edits()) continue;
    auto group = std::ranges::find(groups, block.mode, &ModeGroup::mode);
    if (group == groups.end()) {
      groups.push_back({block.mode, {}, block.labels, {}});
      group = groups.end() - 1;
    }
    group->blocks.push_back(&block);
    std::erase_if(group->labels, [&block](const std::string& label) {
      return std::ranges::find(block.labels, label) == block.labels.end();
    });
    for (const int64_t size : block.sizes) {
      if (std::ranges::find(group->sizes, size) == group->sizes.end()) group->sizes.push_back(size);
    }
  }
  for (ModeGroup& group : groups) std::ranges::sort(group.sizes);
  return groups;
}

std::string means_of(const ModeGroup& group) {
  std::string names, rows;
  for (const EvaluationBlock* block : group.blocks)
    names += (names.empty() ? "" : ", ") + block->benchmark;
  for (const int64_t size : group.sizes) {
    for (const std::string& label : group.labels) {
      std::string cells;
      bool has_value = false;
      for (const std::string_view metric : kMainMetrics) {
        const auto mean = group.mean(label, size, std::string(metric));
        has_value |= mean.has_value();
        cells += mean ? fmt::format("<td>{:.2f}</td>", mean->y) : "<td>–</td>";
      }
      if (!has_value) continue;
      rows += "<tr><th scope=\"row\">" + counted(size) + "</th><td class=\"l\">" + escaped(label) +
              "</td>" + cells + "</tr>\n";
    }
  }
  if (rows.empty()) return "";
  std::string text = "<h2>Means over benchmarks, " + escaped(group.mode) + "</h2>\n" +
                     "<div class=\"scroll\"><table><caption>Means over " + escaped(names) +
                     ", where all have a value.</caption><thead><tr><th scope=\"col\">edits</th>"
                     "<th class=\"l\" scope=\"col\">evaluation</th>";
  for (const std::string_view metric : kMainMetrics)
    text += "<th scope=\"col\">" + std::string(metric) + "</th>";
  text += "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
  if (group.sizes.size() < 2) return text;
  return text +
         metric_charts(group.labels, group.sizes, group.mode,
                       [&group](const std::string& label, int64_t size, const std::string& metric) {
                         return group.mean(label, size, metric);
                       });
}

}  // namespace

/// The mean over some language pairs, with the mean of their bounds where all have them.
std::optional<ChartPoint> mean_over(const EvaluationBlock& block,
                                    const std::vector<LanguagePair>& pairs,
                                    const std::string& label, int64_t size,
                                    const std::string& metric) {
  ChartPoint mean{static_cast<double>(size), 0, 0, 0};
  int n = 0;
  bool has_bounds = true;
  for (const LanguagePair& pair : pairs) {
    const ResultRow* row = block.find(label, size, pair, metric);
    if (row == nullptr || !row->value) continue;
    ++n;
    mean.y += *row->value;
    has_bounds &= row->low && row->high;
    mean.low += row->low.value_or(0);
    mean.high += row->high.value_or(0);
  }
  if (n == 0) return std::nullopt;
  mean.y /= n;
  mean.low = has_bounds ? mean.low / n : mean.y;
  mean.high = has_bounds ? mean.high / n : mean.y;
  return mean;
}

std::string size_charts(const EvaluationBlock& block) {
  if (block.sizes.size() < 2) return "";
  std::vector<std::string> metrics(std::begin(kMainMetrics), std::end(kMainMetrics));
  for (const std::string& metric : block.metrics) {
    if (metric == "retrieval.hit@1") metrics.push_back(metric);
  }
  std::string text = "<div class=\"charts\">\n";
  for (const std::string& label : block.labels) {
    LineChart chart{.title = label,
                    .x_name = x_name(block.mode),
                    .lines = {},
                    .has_log_x = true,
                    .is_percent = true};
    for (const std::string& metric : metrics) {
      ChartLine line{metric == "retrieval.hit@1" ? "hit@1" : metric, {}};
      for (const int64_t size : block.sizes) {
        if (const auto point = mean_over(block, block.pairs, label, size, metric))
          line.points.push_back(*point);
      }
      if (!line.points.empty()) chart.lines.push_back(std::move(line));
    }
    text += figure(chart);
  }
  text += "</div>\n";
  if (block.labels.size() > 1) {
    text +=
        metric_charts(block.labels, block.sizes, block.mode,
                      [&block](const std::string& label, int64_t size, const std::string& metric) {
                        return mean_over(block, block.pairs, label, size, metric);
                      });
  }
  if (block.pairs.size() > 1)
    text += "<p class=\"sub\">Means over the language pairs; bands are 95 % intervals.</p>\n";
  return text;
}

std::string benchmark_means(std::span<const EvaluationBlock> blocks) {
  std::string text;
  for (const ModeGroup& group : groups_of(blocks)) {
    if (group.blocks.size() > 1) text += means_of(group);
  }
  return text;
}

}  // namespace xkde::report
