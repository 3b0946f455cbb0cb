#ifndef XKDE_CORE_TEXT_REGEX_PATTERN_H_
#define XKDE_CORE_TEXT_REGEX_PATTERN_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/text/regex/json_place.h"
#include "core/text/regex/regex.h"

namespace xkde {

/// What becomes of the delimiters when text is split at them: of "a-b" with "-" a delimiter,
/// Removed gives a b; Isolated a - b; MergedWithPrevious a- b; MergedWithNext a -b; Contiguous as
/// Isolated, runs kept whole.
enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

SplitBehavior split_behavior(const JsonPlace& place);

/// The parts that remain, in order; parts may be empty.
std::vector<Span> split_spans(const std::vector<Segment>& segments, SplitBehavior behavior);

/// {"Regex": ...} or {"String": ...}.
Regex make_pattern(const JsonPlace& place);

/// `text` with every match replaced by `content`, taken literally. `watch(bytes)` hears how long
/// the result is before it gets longer, and may throw.
std::string replace_all(const Regex& regex, std::string_view text, const std::string& content,
                        const std::function<void(size_t)>& watch);

}  // namespace xkde

#endif  // XKDE_CORE_TEXT_REGEX_PATTERN_H_
