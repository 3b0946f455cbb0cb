#ifndef XKDE_CORE_TEXT_TEXT_LAYOUT_H_
#define XKDE_CORE_TEXT_TEXT_LAYOUT_H_

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// Of lines that may be as long as they are.
inline constexpr size_t kAnyWidth = std::numeric_limits<size_t>::max();

/// Columns that UTF-8 `text` takes in a terminal: combining marks none, East Asian wide characters
/// two, others one.
size_t display_width(std::string_view text);

/// `text` with its lines broken at blanks where they would take more than `most` columns; what
/// follows a break is indented. A word that is longer stays whole.
std::string folded(std::string_view text, size_t most, size_t indent);

/// UTF-8 `text`, of which so much is left out at its end that it takes at most `most` columns, with
/// "…" in its place. `most` is at least 1.
std::string shortened(std::string_view text, size_t most);

/// Cells, line by line.
using TextGrid = std::vector<std::vector<std::string>>;
/// The lines of a grid, the first column flush left, the others flush right. Where they would take
/// more than `most` columns, the widest cells are broken into several lines, at blanks where they
/// have some, until it fits or every column is narrow.
std::string aligned(const TextGrid& grid, size_t most = kAnyWidth);
/// Columns of the widest line of aligned(grid).
size_t aligned_width(const TextGrid& grid);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TEXT_LAYOUT_H_
