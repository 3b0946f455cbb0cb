#ifndef XKDE_CORE_MEMORY_SEARCH_FACT_SCAN_H_
#define XKDE_CORE_MEMORY_SEARCH_FACT_SCAN_H_

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "core/memory/search/best_hits.h"
#include "core/memory/search/code_kernels.h"
#include "core/memory/search/code_table.h"
#include "core/memory/search/fact_rows.h"

namespace xkde {

/// Facts [begin, end) that a query sees.
struct FactRange {
  int64_t begin = 0;
  int64_t end = 0;
};

/// One query of a scan, and what it has found.
struct ScanQuery {
  const double* row = nullptr;  ///< fp64 [stride], as unit_queries() gives it
  FactRange range;              ///< of coded facts
  BestHits* best = nullptr;     ///< takes the hits; those that it has already bound the search
};

/// Offers each query the best facts of its range by exact_dot(): all coded facts are seen as
/// codes, those that could be among the best as fp32. `threshold`: worse scores are of no use.
/// Uses the threads of at::parallel_for.
void scan_codes(const FactRows& rows, const CodeTable& table, const codes::Kernels& kernels,
                std::span<const ScanQuery> queries, int64_t count, float threshold);

}  // namespace xkde

#endif  // XKDE_CORE_MEMORY_SEARCH_FACT_SCAN_H_
