#ifndef XKDE_CORE_DATA_BENCHMARKS_FACT_LINE_H_
#define XKDE_CORE_DATA_BENCHMARKS_FACT_LINE_H_

#include <string>

#include "core/data/edit_record.h"

namespace xkde {

/// The record as a line of a file of facts (docs/recipes.md), its newline included: what
/// `benchmark: facts` reads as an equal record. Probes are of locality or of portability.
std::string fact_line(const EditRecord& record);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_FACT_LINE_H_
