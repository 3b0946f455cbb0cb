#include "core/memory/search/fact_scan.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <deque>
#include <limits>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

namespace xkde {
namespace {

using codes::Candidate;
using codes::kChunkFacts;
using codes::kLanes;
using codes::kQuad;
using codes::kSegment;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kFewFacts = 128;  ///< of a chunk
constexpr int64_t kGroup = codes::kMostVectors * kLanes;

/// A score that a query's k-th best is known to reach. It only grows; threads share it.
class Floor {
 public:
  float get() const noexcept { return value_.load(std::memory_order_relaxed); }
  void raise(float value) noexcept {
    float now = get();
    while (value > now && !value_.compare_exchange_weak(now, value, std::memory_order_relaxed)) {
    }
  }

 private:
  std::atomic<float> value_{-kInfinity};
};

/// Up to 64 queries whose codes lie side by side.
struct Group {
  int64_t first = 0;  ///< of the queries in order of their ranges
  int64_t size = 0;
  int64_t vectors = 0;
  at::Tensor codes;                 ///< int8 [segments, kQuads, lanes, kQuad]
  std::vector<int32_t> start;       ///< [segments + 1, lanes], as the others
  std::vector<float> error_factor;  ///< in units of the query's scale, as the next
  std::vector<float> rest_factor;
  std::vector<float> slack;
  std::atomic<int64_t> level{0};  ///< segments of the first look

  int64_t lanes() const noexcept { return vectors * kLanes; }
};

/// A pair that the codes could not rule out.
struct Survivor {
  int64_t query;
  int64_t fact;
  float most;  ///< bound of its score
};

/// What a thread works with.
struct Worker {
  std::vector<Candidate> candidates;
  std::vector<Survivor> survivors;
  std::vector<BestHits> best;    ///< by query: exact scores
  std::vector<BestHits> surely;  ///< by query: what scores cannot be below
};

class Scan {
 public:
  Scan(const FactRows& rows, const CodeTable& table, const codes::Kernels& kernels,
       std::span<const ScanQuery> queries, int64_t count, float threshold)
      : rows_(rows),
        table_(table),
        kernels_(kernels),
        count_(count),
        threshold_(threshold),
        floors_(queries.size()) {
    order_queries(queries);
    for (size_t q = 0; q < queries_.size(); ++q) {
      floors_[q].raise(std::max(threshold, queries_[q].best->least()));
    }
    const int64_t stride = rows.stride();
    const at::Tensor packed = at::empty({std::ssize(queries_), stride}, at::kDouble);
    for (size_t q = 0; q < queries_.size(); ++q) {
      std::copy(queries_[q].row, queries_[q].row + stride,
                packed.mutable_data_ptr<double>() + static_cast<int64_t>(q) * stride);
    }
    coded_ = table.encode(packed);
    for (int64_t first = 0; first < std::ssize(queries_); first += kGroup) add_group(first);
    first_chunk_ = table.size() / kChunkFacts;
    int64_t last_chunk = 0;
    for (const ScanQuery& query : queries_) {
      first_chunk_ = std::min(first_chunk_, query.range.begin / kChunkFacts);
      last_chunk = std::max(last_chunk, (query.range.end + kChunkFacts - 1) / kChunkFacts);
    }
    chunks_ = last_chunk - first_chunk_;
    step_ = std::max<int64_t>(1, chunks_ * 618 / 1000);
    while (std::gcd(step_, chunks_) != 1) ++step_;
  }

  void run() {
    const int64_t threads = std::min<int64_t>(at::get_num_threads(), chunks_);
    std::vector<Worker> workers(static_cast<size_t>(threads));
    at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) work(workers[static_cast<size_t>(i)]);
    });
    for (const Worker& worker : workers) {
      for (size_t q = 0; q < worker.best.size(); ++q) {
        for (const Hit& hit : worker.best[q].unsorted()) queries_[q].best->offer(hit);
      }
    }
  }

 private:
  /// Queries of like ranges share groups, so that a chunk that one skips is one that all skip.
  void order_queries(std::span<const ScanQuery> queries) {
    queries_.assign(queries.begin(), queries.end());
    std::stable_sort(queries_.begin(), queries_.end(), [](const auto& a, const auto& b) {
      return std::pair(a.range.begin, a.range.end) < std::pair(b.range.begin, b.range.end);
    });
  }

  void add_group(int64_t first) {
    Group& group = groups_.emplace_back();
    group.first = first;
    group.size = std::min(kGroup, std::ssize(queries_) - first);
    group.vectors = (group.size + kLanes - 1) / kLanes;
    const int64_t segments = table_.segments();
    const int64_t lanes = group.lanes();
    const at::Tensor rows = at::zeros({lanes, segments * kSegment}, at::kChar);
    rows.narrow(0, 0, group.size).copy_(coded_.codes.narrow(0, first, group.size));
    group.codes =
        rows.view({lanes, segments, codes::kQuads, kQuad}).permute({1, 2, 0, 3}).contiguous();
    const auto all = static_cast<size_t>((segments + 1) * lanes);
    group.start.assign(all, 0);
    for (auto* values : {&group.error_factor, &group.rest_factor, &group.slack}) {
      values->assign(all, 0.0F);
    }
    for (int64_t level = 0; level <= segments; ++level) {
      for (int64_t lane = 0; lane < group.size; ++lane) {
        const int64_t q = first + lane;
        const auto at = static_cast<size_t>(level * lanes + lane);
        const float scale = coded_.scale[static_cast<size_t>(q)];
        group.start[at] = start_of(q, level);
        group.error_factor[at] = value(coded_.rounded, q, level) / scale;
        group.rest_factor[at] = value(coded_.rest, q, level) / scale;
        group.slack[at] = value(coded_.slack, q, level);
      }
    }
    group.level = segments;
  }

  float value(const at::Tensor& by_level, int64_t query, int64_t level) const {
    return by_level.const_data_ptr<float>()[query * by_level.size(1) + level];
  }
  /// Undoes the offset of the facts' codes in the first `level` segments.
  int32_t start_of(int64_t query, int64_t level) const {
    const auto* sums = coded_.code_sums.const_data_ptr<int32_t>();
    return -128 * sums[query * coded_.code_sums.size(1) + level];
  }

  void work(Worker& worker) {
    worker.candidates.resize(static_cast<size_t>(kChunkFacts * kGroup));
    worker.best.assign(queries_.size(), BestHits(count_));
    worker.surely.assign(queries_.size(), BestHits(count_));
    bool starts = true;
    for (int64_t turn = next_++; turn < chunks_; turn = next_++) {
      // Steps of about the golden section: what comes first is spread over all facts.
      const int64_t chunk = first_chunk_ + turn * step_ % chunks_;
      const bool choose = std::has_single_bit(static_cast<uint64_t>(turn));
      for (Group& group : groups_) {
        // A few facts give a bound to the many.
        if (starts) look_at(worker, group, chunk, {0, kFewFacts}, false);
        look_at(worker, group, chunk, {starts ? kFewFacts : 0, kChunkFacts}, choose);
      }
      starts = false;
    }
  }

  void look_at(Worker& worker, Group& group, int64_t chunk, FactRange part, bool choose) {
    if (choose) choose_level(worker, group, chunk);
    const int64_t level = group.level.load(std::memory_order_relaxed);
    const int64_t found = first_look(worker, group, chunk, level, part);
    if (found > 0) second_look(worker, group, chunk, level, found);
  }

  /// The number of candidates in part of a chunk; 0 when no query of the
  /// group sees the chunk.
  int64_t first_look(Worker& worker, const Group& group, int64_t chunk, int64_t level,
                     FactRange part) const {
    float limit[kGroup];
    const FactRange facts{chunk * kChunkFacts, (chunk + 1) * kChunkFacts};
    const int64_t lanes = group.lanes();
    std::fill(limit, limit + lanes, kInfinity);
    bool any = false;
    for (int64_t lane = 0; lane < group.size; ++lane) {
      const auto q = static_cast<size_t>(group.first + lane);
      const FactRange& range = queries_[q].range;
      if (range.begin >= facts.end || range.end <= facts.begin) continue;
      any = true;
      const float slack = group.slack[static_cast<size_t>(level * lanes + lane)];
      limit[lane] = (floors_[q].get() - slack) / coded_.scale[q];
    }
    if (!any) return 0;
    const CodeTable::Chunk& facts_of = table_.chunk(chunk);
    const auto at = static_cast<size_t>(level * lanes);
    const codes::ScanCall call{.codes = facts_of.code_bytes.const_data_ptr<uint8_t>(),
                               .scale = facts_of.scale.const_data_ptr<float>(),
                               .error = facts_of.error.const_data_ptr<float>(),
                               .rest = facts_of.rest.const_data_ptr<float>() + level * kChunkFacts,
                               .queries = group.codes.const_data_ptr<int8_t>(),
                               .start = group.start.data() + at,
                               .limit = limit,
                               .error_factor = group.error_factor.data() + at,
                               .rest_factor = group.rest_factor.data() + at,
                               .segments = level,
                               .vectors = group.vectors,
                               .first = part.begin,
                               .last = part.end};
    return kernels_.scan(call, worker.candidates.data());
  }

  /// How many segments of the first look cost the least in all, judged by a few facts and what is
  /// known of the best scores by now.
  void choose_level(Worker& worker, Group& group, int64_t chunk) const {
    // Cycles: one for each 16 products of four, and those of the second look at a candidate.
    constexpr int64_t kSecondLook = 80;
    constexpr int64_t kSecondSegment = 20;
    const int64_t segments = table_.segments();
    int64_t least = std::numeric_limits<int64_t>::max();
    for (int64_t level = 1; level <= segments; ++level) {
      const int64_t found = first_look(worker, group, chunk, level, {0, kFewFacts});
      const int64_t cost = kFewFacts * group.vectors * level * codes::kQuads +
                           found * (kSecondLook + kSecondSegment * (segments - level));
      if (cost < least) {
        least = cost;
        group.level.store(level, std::memory_order_relaxed);
      }
    }
  }

  /// All segments of the candidates; then those that could still be among the best, exactly.
  void second_look(Worker& worker, const Group& group, int64_t chunk, int64_t level,
                   int64_t found) {
    const CodeTable::Chunk& part = table_.chunk(chunk);
    const int64_t segments = table_.segments();
    const auto* bytes = part.code_bytes.const_data_ptr<uint8_t>() + level * kChunkFacts * kSegment;
    const auto* query_codes = coded_.codes.const_data_ptr<int8_t>() + level * kSegment;
    const float* scales = part.scale.const_data_ptr<float>();
    const float* errors = part.error.const_data_ptr<float>();
    worker.survivors.clear();
    constexpr int64_t kAhead = 16;
    for (int64_t i = 0; i < found; ++i) {
      if (i + kAhead < found) {
        const Candidate& later = worker.candidates[static_cast<size_t>(i + kAhead)];
        for (int64_t s = 0; s < segments - level; ++s) {
          __builtin_prefetch(bytes + (s * kChunkFacts + later.fact) * kSegment);
        }
      }
      const Candidate& candidate = worker.candidates[static_cast<size_t>(i)];
      const int64_t q = group.first + candidate.lane;
      const int64_t fact = chunk * kChunkFacts + candidate.fact;
      const FactRange& range = queries_[static_cast<size_t>(q)].range;
      if (fact < range.begin || fact >= range.end) continue;
      int32_t dot = candidate.dot;
      if (level < segments) {
        dot += start_of(q, segments) - start_of(q, level) +
               kernels_.dot(bytes + candidate.fact * kSegment,
                            query_codes + q * segments * kSegment, segments - level);
      }
      const float near =
          static_cast<float>(dot) * scales[candidate.fact] * coded_.scale[static_cast<size_t>(q)];
      const float slack = value(coded_.slack, q, segments) +
                          value(coded_.rounded, q, segments) * errors[candidate.fact];
      Floor& floor = floors_[static_cast<size_t>(q)];
      if (near + slack < floor.get()) continue;
      BestHits& surely = worker.surely[static_cast<size_t>(q)];
      surely.offer({fact, near - slack});
      floor.raise(surely.least());
      worker.survivors.push_back({q, fact, near + slack});
    }
    for (const Survivor& survivor : worker.survivors) {
      const auto q = static_cast<size_t>(survivor.query);
      if (survivor.most < floors_[q].get()) continue;
      const double dot = exact_dot(queries_[q].row, rows_.row(survivor.fact), rows_.stride());
      const auto score = static_cast<float>(dot);
      if (score < threshold_) continue;
      worker.best[q].offer({survivor.fact, score});
      floors_[q].raise(worker.best[q].least());
    }
  }

  const FactRows& rows_;
  const CodeTable& table_;
  const codes::Kernels& kernels_;
  int64_t count_;
  float threshold_;
  std::vector<ScanQuery> queries_;
  std::vector<Floor> floors_;
  CodeTable::Queries coded_;
  std::deque<Group> groups_;
  int64_t first_chunk_ = 0;
  int64_t chunks_ = 0;
  int64_t step_ = 1;
  std::atomic<int64_t> next_{0};
};

}  // namespace

void scan_codes(const FactRows& rows, const CodeTable& table, const codes::Kernels& kernels,
                std::span<const ScanQuery> queries, int64_t count, float threshold) {
  if (!queries.empty()) Scan(rows, table, kernels, queries, count, threshold).run();
}

}  // namespace xkde
