#ifndef XKDE_STAGES_RECIPE_EXPANSION_H_
#define XKDE_STAGES_RECIPE_EXPANSION_H_

#include <string>
#include <string_view>

namespace xkde::recipe {

/// A path as it is meant, or what is wrong with it as it is written.
struct ExpandedPath {
  std::string text;
  std::string mistake;  ///< "expected ..., found ..."; empty: none
};

/// The path with the value of an environment variable in place of each ${NAME}, and the home folder
/// in place of a "~" that is all of it or stands before its first '/'. "$${" is a "${" that stays.
/// Values are taken as they are, and nothing in them is expanded: no variable leads back to itself.
ExpandedPath expand_path(std::string_view text);

/// A text that expand_path() makes this path of.
std::string unexpanded_path(std::string_view path);

}  // namespace xkde::recipe

#endif  // XKDE_STAGES_RECIPE_EXPANSION_H_
