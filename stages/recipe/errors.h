#ifndef XKDE_STAGES_RECIPE_ERRORS_H_
#define XKDE_STAGES_RECIPE_ERRORS_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xkde::recipe {

/// Where something is written: line and column of the file from 1, columns in characters. Line 0 is
/// the command line; its column tells the overrides apart.
struct Place {
  int line = 0;
  int column = 0;

  bool operator==(const Place&) const = default;
};

/// The mistakes of one recipe, collected so that all of them are reported at once.
class RecipeErrors {
 public:
  /// `file` is the name that messages begin with.
  explicit RecipeErrors(std::string file) : file_(std::move(file)) {}

  /// Adds "file:line:column: path: what"; an empty path is left out.
  void add(Place place, const std::string& path, const std::string& what);
  /// The same for a value that is then known to be wrong: what else is added there is left out.
  void add_last(Place place, const std::string& path, const std::string& what);
  bool empty() const noexcept { return errors_.empty(); }
  /// Whether a mistake was added at `path` or below it.
  bool is_wrong(std::string_view path) const;
  /// "file:line:column" or "command line".
  std::string text_of(Place place) const;
  const std::string& file() const noexcept { return file_; }
  /// Throws ConfigError with one line per mistake in the order of the file, those of the command
  /// line last; several are preceded by a line with their number. No effect when there are none.
  void throw_if_any() const;

 private:
  struct Mistake {
    Place place;
    std::string path;
    std::string line;
  };
  std::string file_;
  std::vector<Mistake> errors_;
  std::vector<Place> closed_;  ///< of add_last()
};

/// Text from a file in a form fit for one line of a message: control characters escaped, cut to
/// `max_bytes` (never inside a character) with "..." at the cut.
std::string printable(std::string_view text, size_t max_bytes = 60);

/// "a", "a or b", "a, b or c".
std::string alternatives(const std::vector<std::string>& names);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_ERRORS_H_
