#ifndef XKDE_CORE_TEXT_DID_YOU_MEAN_H_
#define XKDE_CORE_TEXT_DID_YOU_MEAN_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace xkde {

/// How many single-byte insertions, deletions, replacements and swaps of neighbours lead from `a`
/// to `b`, where no place is changed twice (Damerau-Levenshtein, optimal string alignment). O(|a|
/// |b|).
size_t edit_distance(std::string_view a, std::string_view b);

/// The known name that `word` most likely meant, or "" when none is close: at most a third of the
/// longer one's letters differ, ignoring case, '-' and '_', or it is the beginning of a single
/// known name.
std::string closest(std::string_view word, const std::vector<std::string>& known);

/// "; did you mean 'x'?" with the closest known name, or "".
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_DID_YOU_MEAN_H_
