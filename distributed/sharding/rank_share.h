#ifndef XKDE_DISTRIBUTED_SHARDING_RANK_SHARE_H_
#define XKDE_DISTRIBUTED_SHARDING_RANK_SHARE_H_

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace xkde::dist {

/// The items that rank `rank` of `size` computes, in order: runs of about equal cost, where an item
/// belongs to the rank in whose share of the total cost its middle lies. `costs`: one for each
/// item.
template <typename Item>
std::vector<Item> share_of_rank(std::vector<Item> items, std::span<const double> costs, int rank,
                                int size) {
  if (size == 1) return items;
  const double total = std::accumulate(costs.begin(), costs.end(), 0.0);
  std::vector<Item> share;
  double before = 0.0;
  for (size_t i = 0; i < items.size(); ++i) {
    const double middle = before + costs[i] / 2;
    before += costs[i];
    const int owner = std::min(size - 1, static_cast<int>(middle / total * size));
    if (owner == rank) share.push_back(std::move(items[i]));
  }
  return share;
}

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_SHARDING_RANK_SHARE_H_
