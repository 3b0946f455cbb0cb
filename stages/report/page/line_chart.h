#ifndef XKDE_STAGES_REPORT_PAGE_LINE_CHART_H_
#define XKDE_STAGES_REPORT_PAGE_LINE_CHART_H_

#include <string>
#include <utility>
#include <vector>

namespace xkde::report {

struct ChartPoint {
  double x = 0;
  double y = 0;
  double low = 0;  ///< of the band; equal to high for none
  double high = 0;
};

struct ChartLine {
  std::string name;
  std::vector<ChartPoint> points;
};

struct LineChart {
  std::string title;
  std::string x_name;
  std::vector<ChartLine> lines;
  bool has_log_x = false;   ///< every x > 0
  bool is_percent = false;  ///< y from 0 to 100
};

/// An <svg> element that stands alone: axes with round ticks, bands, a name at the end of each
/// line, <title> and <desc> for readers of screens. Colours are classes c0 … c7 of the page; behind
/// the eighth, lines are dashed and begin with the first colour again. Points that are not finite
/// are left out; without points, a sentence says so.
std::string draw(const LineChart& chart);

/// `text` for HTML: & < > " ' escaped, control characters left out.
std::string escaped(const std::string& text);

/// Round numbers from `low` to `high`, about `count` of them.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_PAGE_LINE_CHART_H_
