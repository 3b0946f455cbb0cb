#include "distributed/memory_search/fact_search.h"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/base/error.h"
#include "distributed/comm/typed_gather.h"

namespace xkde::dist {
namespace {

/// A hit of query `query`, as ranks send it.
struct SentHit {
  int64_t query = 0;
  int64_t fact = 0;  ///< of all ranks
  float score = 0;
  int32_t unused = 0;
};

}  // namespace

std::pair<int64_t, int64_t> FactSearch::share(int64_t count, int rank, int size) {
  return {count * rank / size, count * (rank + 1) / size};
}

FactSearch::FactSearch(const at::Tensor& embeddings, Communicator& comm, FactIndexOptions options)
    : comm_(comm), index_(embeddings.size(1), options) {
  index_.append(embeddings);
  const at::Tensor own = at::tensor({index_.size(), index_.width()}, at::kLong);
  const at::Tensor all = at::empty({2 * comm.size()}, at::kLong);
  comm.all_gather(all, own)->wait();
  const auto* numbers = all.const_data_ptr<int64_t>();
  for (int rank = 0; rank < comm.size(); ++rank) {
    XKDE_CHECK(numbers[2 * rank + 1] == index_.width(), CommError,
               "fact search: expected embeddings of width ", index_.width(), " on rank ", rank,
               ", found ", numbers[2 * rank + 1]);
    if (rank < comm.rank()) first_ += numbers[2 * rank];
    size_ += numbers[2 * rank];
  }
}

std::vector<std::vector<Hit>> FactSearch::top_k(const at::Tensor& queries, int64_t k,
                                                std::span<const FactRange> ranges,
                                                float threshold) const {
  std::vector<FactRange> own(ranges.begin(), ranges.end());
  for (FactRange& range : own) {
    XKDE_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= size_, InternalError,
               "top_k: expected a range of the ", size_, " facts, found [", range.begin, ", ",
               range.end, ")");
    range.begin = std::clamp<int64_t>(range.begin - first_, 0, index_.size());
    range.end = std::clamp<int64_t>(range.end - first_, 0, index_.size());
  }
  const auto found = index_.top_k(queries, k, own, threshold);
  std::vector<SentHit> sent;
  for (size_t q = 0; q < found.size(); ++q) {
    for (const Hit& hit : found[q]) {
      sent.push_back({static_cast<int64_t>(q), first_ + hit.fact, hit.score, 0});
    }
  }
  std::vector<BestHits> best(found.size(), BestHits(k));
  for (const std::vector<SentHit>& part : gather(comm_, sent)) {
    for (const SentHit& hit : part) {
      best.at(static_cast<size_t>(hit.query)).offer({hit.fact, hit.score});
    }
  }
  std::vector<std::vector<Hit>> merged;
  for (BestHits& one : best) merged.push_back(one.take());
  return merged;
}

}  // namespace xkde::dist
