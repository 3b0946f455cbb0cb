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
/// How a grid is laid out.
struct GridLayout {
  size_t most = kAnyWidth;  ///< columns of a line, where the cells leave a choice
  size_t titles = 1;        ///< columns at the left that say what a line is about; flush left
  bool is_left = false;     ///< whether the others are flush left, too, and not flush right
};
/// The lines of a grid, all with as many cells; the first has the headings. This is the one home of
/// tables for a terminal, and the one way in which they keep to a width. Where lines would take
/// more than `most` columns, cells of more than 24 are broken, widest first: at blanks, else behind
/// marks, else anywhere. Where that is not enough, the columns stand in blocks one below another,
/// an empty line between them, and the titles in each, which take up to half of a line. Nothing is
/// left out, and a cell of at most 24 columns is never broken.
std::string aligned(const TextGrid& grid, const GridLayout& layout = {});
/// Columns of the widest line of aligned(grid).
size_t aligned_width(const TextGrid& grid);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_TEXT_LAYOUT_H_
