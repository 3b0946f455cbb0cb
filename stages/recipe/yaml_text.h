#ifndef XKDE_STAGES_RECIPE_YAML_TEXT_H_
#define XKDE_STAGES_RECIPE_YAML_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "stages/recipe/errors.h"

namespace xkde::recipe {

/// Turns byte offsets into places. Offsets that mostly grow cost constant time each, also when the
/// whole text is one line.
class PlaceCounter {
 public:
  explicit PlaceCounter(std::string_view text) : text_(text) {}
  Place at(size_t offset);

 private:
  std::string_view text_;
  size_t offset_ = 0;
  Place place_{1, 1};
};

/// A mistake in the bytes of a text, before any YAML is read.
struct TextFault {
  size_t offset = 0;
  std::string what;  ///< "expected ..., found ..."; empty: no fault
};

/// The first byte that is not UTF-8, is a control character other than tab and line ends, or is a
/// tab in the indentation of a line.
TextFault find_text_fault(std::string_view text);

/// Whether the quoted text that begins at `offset` (after an anchor, if any) is closed before the
/// text ends. yaml-cpp 0.7 takes the rest of the file for it when it isn't.
bool quotes_are_closed(std::string_view text, size_t offset);

/// Whether the value that begins at `offset` (after an anchor, if any) carries a tag.
bool begins_with_tag(std::string_view text, size_t offset);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_YAML_TEXT_H_
