#ifndef XKDE_STAGES_WATCH_BRAILLE_PLOT_H_
#define XKDE_STAGES_WATCH_BRAILLE_PLOT_H_

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xkde::recipe {

/// A curve in Braille patterns, which have 2 by 4 dots in a character: `rows` lines of `columns`
/// characters each. Points are (x, y) with ascending x. Where several fall into one column of
/// dots, all of them are drawn, and neighbours are joined. Not finite ones are left out. The curve
/// fills the height; an even one lies in the middle.
std::vector<std::string> braille_plot(std::span<const std::pair<double, double>> points,
                                      int64_t columns, int64_t rows);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_WATCH_BRAILLE_PLOT_H_
