#ifndef XKDE_LAUNCH_SWEEP_POINT_TABLE_H_
#define XKDE_LAUNCH_SWEEP_POINT_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

namespace xkde {

/// Lines of cells as columns that are flush left, at most `width` columns of the terminal wide. The
/// first line has the names of the columns. Where it does not fit, the widest columns but the first
/// are cut at the front, where keys and paths are alike ("…ing_rate"), and then the last columns
/// are left out for "…". All lines have as many cells; the first column fits.
std::string point_table(std::vector<std::vector<std::string>> lines, size_t width = 80);

}  // namespace xkde

#endif  // XKDE_LAUNCH_SWEEP_POINT_TABLE_H_
