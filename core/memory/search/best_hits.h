#ifndef XKDE_CORE_MEMORY_SEARCH_BEST_HITS_H_
#define XKDE_CORE_MEMORY_SEARCH_BEST_HITS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace xkde {

/// A fact found for a query.
struct Hit {
  int64_t fact = 0;
  float score = 0;  ///< cosine
  bool operator==(const Hit&) const = default;
};

/// Higher scores first; of equal ones the fact with the lowest index. A total order.
inline bool is_better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.fact < b.fact;
}

/// The best `count` (> 0) of all hits offered, in whatever order they come.
class BestHits {
 public:
  explicit BestHits(int64_t count) : count_(static_cast<size_t>(count)) {}

  void offer(const Hit& hit) {
    if (hits_.size() == count_) {
      if (!is_better(hit, hits_.front())) return;
      std::pop_heap(hits_.begin(), hits_.end(), is_better);
      hits_.back() = hit;
    } else {
      hits_.push_back(hit);
    }
    std::push_heap(hits_.begin(), hits_.end(), is_better);
  }
  /// What a hit's score must reach to be taken: the worst one's when there are `count`.
  float least() const {
    return hits_.size() < count_ ? -std::numeric_limits<float>::infinity() : hits_.front().score;
  }
  const std::vector<Hit>& unsorted() const noexcept { return hits_; }
  /// Best first; leaves nothing behind.
  std::vector<Hit> take() {
    std::sort(hits_.begin(), hits_.end(), is_better);
    return std::exchange(hits_, {});
  }

 private:
  size_t count_;
  std::vector<Hit> hits_;  ///< a heap with the worst in front
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_SEARCH_BEST_HITS_H_
