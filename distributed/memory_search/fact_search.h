#ifndef XKDE_DISTRIBUTED_MEMORY_SEARCH_FACT_SEARCH_H_
#define XKDE_DISTRIBUTED_MEMORY_SEARCH_FACT_SEARCH_H_

#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/fact_index.h"
#include "distributed/comm/communicator.h"

namespace xkde::dist {

/// A FactIndex whose facts are spread over the ranks: rank r holds a run of them, those of rank
/// r + 1 follow. What is found equals what one index of all facts finds, to the bit, for any number
/// of ranks.
class FactSearch {
 public:
  /// Facts [first, second) that a rank holds when `count` facts are spread evenly.
  static std::pair<int64_t, int64_t> share(int64_t count, int rank, int size);

  /// `embeddings`: this rank's run, fp32 [n, width]; n may be 0. Collective; `comm` outlives this.
  /// Throws as FactIndex::append does, and CommError when the widths differ.
  FactSearch(const at::Tensor& embeddings, Communicator& comm, FactIndexOptions options = {});

  int64_t size() const noexcept { return size_; }    ///< of all ranks
  int64_t first() const noexcept { return first_; }  ///< the first fact of this rank

  /// FactIndex::top_k() over the facts of all ranks, on all ranks; ranges count all facts.
  /// Collective; all ranks give the same queries, bit by bit, and ranges.
  std::vector<std::vector<Hit>> top_k(
      const at::Tensor& queries, int64_t k, std::span<const FactRange> ranges,
      float threshold = -std::numeric_limits<float>::infinity()) const;

 private:
  Communicator& comm_;
  FactIndex index_;
  int64_t first_ = 0;
  int64_t size_ = 0;
};

}  // namespace xkde::dist

#endif  // XKDE_DISTRIBUTED_MEMORY_SEARCH_FACT_SEARCH_H_
