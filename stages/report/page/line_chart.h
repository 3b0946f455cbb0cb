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
  std::string y_name = {};  ///< of a chart that is not in percent
  std::vector<ChartLine> lines;
  bool has_log_x = false;   ///< every x > 0
  bool is_percent = false;  ///< y from 0 to 100
};

/// An <svg> element that stands alone: named axes with round ticks, bands, the name of each line at
/// its end or, where one is too long for that, all of them below, <title> and <desc> for readers of
/// screens. No text is cut. Lines differ in colour and in dashes, classes c0 … c7 and d0 … d4 of
/// the page. Points that are not finite are left out; without points, a sentence says so.
std::string draw(const LineChart& chart);
/// In a <figure>.
std::string figure(const LineChart& chart);

/// `text` for HTML: & < > " ' escaped, control characters left out.
std::string escaped(const std::string& text);

/// Round numbers from `low` to `high`, about `count` of them.
std::vector<double> round_ticks(double low, double high, int count);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_PAGE_LINE_CHART_H_
