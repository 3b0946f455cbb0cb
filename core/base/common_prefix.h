#ifndef XKDE_CORE_BASE_COMMON_PREFIX_H_
#define XKDE_CORE_BASE_COMMON_PREFIX_H_

#include <algorithm>
#include <cstdint>

namespace xkde {

/// How many elements two lists or texts have in common at their beginnings.
template <typename List>
int64_t common_prefix(const List& a, const List& b) {
  const auto [left, right] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return left - a.begin();
}

}  // namespace xkde

#endif  // XKDE_CORE_BASE_COMMON_PREFIX_H_
