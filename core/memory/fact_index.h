#ifndef XKDE_CORE_MEMORY_FACT_INDEX_H_
#define XKDE_CORE_MEMORY_FACT_INDEX_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/search/best_hits.h"
#include "core/memory/search/fact_scan.h"

namespace xkde {

struct FactIndexOptions {
  /// Ranges of fewer facts are searched one by one; for larger ones codes are made, once.
  int64_t codes_from = 8192;
  bool portable = false;  ///< no instructions beyond what every processor has
};

/// Exact search of the facts nearest to queries by cosine. Facts get longer lists by append();
/// what is there never changes. Concurrent calls of top_k() are safe, beside append() none.
///
/// A score is the fp64 sum of exact_dot() of the two vectors, each brought to length 1 in fp32,
/// rounded to fp32: it depends on nothing else, so that results are the same whatever else is in
/// the index, for any number of threads, and on any processor.
class FactIndex {
 public:
  explicit FactIndex(int64_t width, FactIndexOptions options = {});
  FactIndex(FactIndex&&) noexcept;
  FactIndex& operator=(FactIndex&&) noexcept;
  ~FactIndex();

  /// fp32 [N, width()], not yet of length 1. DataError when one is zero or not finite, or the shape
  /// or type is another.
  void append(const at::Tensor& embeddings);
  int64_t size() const noexcept;
  int64_t width() const noexcept;

  /// For each query, fp32 [Q, width()], the k > 0 best facts of its range (Q ranges within
  /// [0, size()]), best first, of equal scores the lowest index first; fewer where the range or the
  /// facts that score at least `threshold` are fewer. Throws DataError as append() does.
  std::vector<std::vector<Hit>> top_k(
      const at::Tensor& queries, int64_t k, std::span<const FactRange> ranges,
      float threshold = -std::numeric_limits<float>::infinity()) const;
  /// All queries see all facts.
  std::vector<std::vector<Hit>> top_k(
      const at::Tensor& queries, int64_t k,
      float threshold = -std::numeric_limits<float>::infinity()) const;

  /// Makes what top_k() would make on its first search of many facts.
  void prepare() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_FACT_INDEX_H_
