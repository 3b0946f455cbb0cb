#include "launch/rank_ends.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <set>

namespace xkde {

bool end_alike(std::span<const dist::RankEnd> ends) {
  return std::ranges::all_of(
      ends, [&](const dist::RankEnd& end) { return end.exit_code == ends.front().exit_code; });
}

bool speaks(std::span<const dist::RankEnd> ends, int rank) {
  std::set<uint64_t> before;
  for (const dist::RankEnd& end : ends.first(static_cast<size_t>(rank))) before.insert(end.text);
  const bool is_new = !before.contains(ends[static_cast<size_t>(rank)].text);
  return is_new && std::ssize(before) < kMostTexts;
}

}  // namespace xkde
