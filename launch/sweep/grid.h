#ifndef XKDE_LAUNCH_SWEEP_GRID_H_
#define XKDE_LAUNCH_SWEEP_GRID_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// A sweep has at most as many recipes.
inline constexpr size_t kMostPoints = 1000;

/// "a,b,[c,d]" -> "a", "b", "[c,d]": parted at commas, but for those within [], {} or quotes. A
/// quote opens at the beginning of a value only. Blanks around values go where there are several;
/// one value is as it stands.
std::vector<std::string> split_values(std::string_view text);

/// The overrides of a sweep (stages/recipe/overrides.h). A key with several values is an axis; the
/// points of the grid are all choices of one value for each axis, the first axis the slowest.
class Grid {
 public:
  /// `words`: "key.path=value,value" or "key.path~", in the order in which they apply. Throws
  /// UsageError where no key has several values, one has nothing between two commas, `run_name` or
  /// `output_dir` has several, or there are more than kMostPoints points.
  explicit Grid(const std::vector<std::string>& words);

  /// The number of points, at least 2.
  size_t size() const noexcept { return size_; }
  /// The keys that differ, in order.
  std::vector<std::string> keys() const;
  /// Their values at a point below size().
  std::vector<std::string> values(size_t point) const;
  /// All overrides of a point below size(), in the order of the words.
  std::vector<std::string> overrides(size_t point) const;

 private:
  struct Word {
    std::string key;                  ///< the whole word where it removes a key
    std::vector<std::string> values;  ///< none where it removes a key; several: an axis
  };
  /// The position of each axis' value at a point; 0 for other words.
  std::vector<size_t> positions(size_t point) const;

  std::vector<Word> words_;
  size_t size_ = 1;
};

}  // namespace xkde

#endif  // XKDE_LAUNCH_SWEEP_GRID_H_
