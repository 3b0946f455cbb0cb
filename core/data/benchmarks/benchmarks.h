#ifndef XKDE_CORE_DATA_BENCHMARKS_BENCHMARKS_H_
#define XKDE_CORE_DATA_BENCHMARKS_BENCHMARKS_H_

#include <span>
#include <string_view>
#include <vector>

#include "core/data/benchmarks/benchmark_source.h"

namespace xkde {

/// Every benchmark that a recipe may name: the only list of them.
std::span<const BenchmarkSource* const> benchmarks();

/// The benchmark of that name, or nullptr.
const BenchmarkSource* find_benchmark(std::string_view name);

/// Throws ConfigError listing the known names.
const BenchmarkSource& benchmark_of(std::string_view name);

/// The names of those that have `property` (every one when it is null), in the order of the list.
std::vector<std::string_view> benchmark_names(bool BenchmarkSource::*property = nullptr);

}  // namespace xkde

#endif  // XKDE_CORE_DATA_BENCHMARKS_BENCHMARKS_H_
