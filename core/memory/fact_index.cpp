#include "core/memory/fact_index.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "core/base/error.h"
#include "core/memory/search/code_table.h"
#include "core/memory/search/fact_rows.h"

namespace xkde {
namespace {

/// The basis is learned again when there are so many times the facts it was learned from.
constexpr int64_t kRelearnGrowth = 8;

}  // namespace

struct FactIndex::Impl {
  FactIndexOptions options;
  FactRows rows;
  mutable std::shared_mutex mutex;  ///< of the table, which searches extend
  mutable std::optional<CodeTable> table;

  Impl(int64_t width, FactIndexOptions given) : options(given), rows(width) {}

  const codes::Kernels& kernels() const {
    return options.portable ? codes::portable_kernels() : codes::best_kernels();
  }

  /// Facts from here on have no codes and need none yet.
  int64_t worth_coding() const { return rows.size() / codes::kChunkFacts * codes::kChunkFacts; }

  void extend_table() const {
    if (rows.size() == 0) return;
    {
      const std::shared_lock<std::shared_mutex> lock(mutex);
      if (table && table->size() == worth_coding()) return;
    }
    const std::unique_lock<std::shared_mutex> lock(mutex);
    if (!table || rows.size() >= kRelearnGrowth * table->learned_from()) table.emplace(rows);
    table->extend(rows);
  }

  void search_one_by_one(const double* query, FactRange range, float threshold,
                         BestHits& best) const {
    for (int64_t fact = range.begin; fact < range.end; ++fact) {
      const auto score = static_cast<float>(exact_dot(query, rows.row(fact), rows.stride()));
      if (score >= threshold) best.offer({fact, score});
    }
  }

  /// What is left of a range after the coded facts, or all of it when it is short.
  void search_rest(const at::Tensor& queries, std::span<const FactRange> ranges, float threshold,
                   int64_t coded, std::vector<BestHits>& best) const {
    int64_t pairs = 0;
    std::vector<FactRange> rest(ranges.begin(), ranges.end());
    for (FactRange& range : rest) {
      if (range.end - range.begin >= options.codes_from) range.begin = std::max(range.begin, coded);
      pairs += std::max<int64_t>(0, range.end - range.begin);
    }
    constexpr int64_t kPairsPerTask = 4096;
    const int64_t grain = std::max<int64_t>(1, std::ssize(rest) * kPairsPerTask / (pairs + 1));
    at::parallel_for(0, std::ssize(rest), grain, [&](int64_t begin, int64_t end) {
      for (int64_t q = begin; q < end; ++q) {
        const auto i = static_cast<size_t>(q);
        search_one_by_one(queries.const_data_ptr<double>() + q * rows.stride(), rest[i], threshold,
                          best[i]);
      }
    });
  }
};

FactIndex::FactIndex(int64_t width, FactIndexOptions options)
    : impl_(std::make_unique<Impl>(width, options)) {}
FactIndex::FactIndex(FactIndex&&) noexcept = default;
FactIndex& FactIndex::operator=(FactIndex&&) noexcept = default;
FactIndex::~FactIndex() = default;

int64_t FactIndex::size() const noexcept { return impl_->rows.size(); }
int64_t FactIndex::width() const noexcept { return impl_->rows.width(); }

void FactIndex::append(const at::Tensor& embeddings) { impl_->rows.append(embeddings, "fact"); }

void FactIndex::prepare() const { impl_->extend_table(); }

std::vector<std::vector<Hit>> FactIndex::top_k(const at::Tensor& queries, int64_t k,
                                               std::span<const FactRange> ranges,
                                               float threshold) const {
  const FactRows& rows = impl_->rows;
  const at::Tensor units = unit_queries(queries, rows.width(), "query");
  const int64_t count = units.size(0);
  XKDE_CHECK(k > 0, InternalError, "top_k: expected k > 0, found ", k);
  XKDE_CHECK(std::ssize(ranges) == count, InternalError, "top_k: expected a range for each of ",
             count, " queries, found ", ranges.size());
  int64_t longest = 0;
  for (const FactRange& range : ranges) {
    XKDE_CHECK(0 <= range.begin && range.begin <= range.end && range.end <= rows.size(),
               InternalError, "top_k: expected a range of the ", rows.size(), " facts, found [",
               range.begin, ", ", range.end, ")");
    longest = std::max(longest, range.end - range.begin);
  }
  const bool by_codes = longest >= impl_->options.codes_from;
  if (by_codes) impl_->extend_table();
  const std::shared_lock<std::shared_mutex> lock(impl_->mutex);
  const int64_t coded = by_codes ? impl_->table->size() : 0;

  std::vector<BestHits> best(static_cast<size_t>(count), BestHits(k));
  impl_->search_rest(units, ranges, threshold, coded, best);
  std::vector<ScanQuery> scanned;
  for (int64_t q = 0; q < count; ++q) {
    const auto i = static_cast<size_t>(q);
    const FactRange range{ranges[i].begin, std::min(ranges[i].end, coded)};
    if (ranges[i].end - ranges[i].begin < impl_->options.codes_from || range.begin >= range.end) {
      continue;
    }
    scanned.push_back({units.const_data_ptr<double>() + q * rows.stride(), range, &best[i]});
  }
  if (!scanned.empty()) {
    scan_codes(rows, *impl_->table, impl_->kernels(), scanned, k, threshold);
  }
  std::vector<std::vector<Hit>> hits;
  for (BestHits& one : best) hits.push_back(one.take());
  return hits;
}

std::vector<std::vector<Hit>> FactIndex::top_k(const at::Tensor& queries, int64_t k,
                                               float threshold) const {
  const auto count = static_cast<size_t>(queries.dim() == 0 ? 0 : queries.size(0));
  return top_k(queries, k, std::vector<FactRange>(count, {0, size()}), threshold);
}

}  // namespace xkde
