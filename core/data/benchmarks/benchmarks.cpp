#include "core/data/benchmarks/benchmarks.h"

#include <string>

#include "core/base/error.h"

namespace xkde {

// Each is defined in the file of its name.
extern const BenchmarkSource kBizsre, kMzsre, kBmike53, kBizsreTrain, kMzsreTrain;
extern const BenchmarkSource kZsre, kWikibio, kRecent, kCounterfact, kFacts;

namespace {

constexpr const BenchmarkSource* kBenchmarks[] = {&kBizsre,      &kMzsre, &kBmike53, &kBizsreTrain,
                                                  &kMzsreTrain,  &kZsre,  &kWikibio, &kRecent,
                                                  &kCounterfact, &kFacts};

}  // namespace

std::span<const BenchmarkSource* const> benchmarks() { return kBenchmarks; }

const BenchmarkSource* find_benchmark(std::string_view name) {
  for (const BenchmarkSource* source : benchmarks()) {
    if (source->name == name) return source;
  }
  return nullptr;
}

const BenchmarkSource& benchmark_of(std::string_view name) {
  if (const BenchmarkSource* source = find_benchmark(name)) return *source;
  std::string known;
  for (const BenchmarkSource* source : benchmarks())
    known.append(known.empty() ? "" : ", ").append(source->name);
  throw ConfigError(concat("benchmark: expected one of ", known, ", found \"", name, "\""));
}

std::vector<std::string_view> benchmark_names(bool BenchmarkSource::*property) {
  std::vector<std::string_view> names;
  for (const BenchmarkSource* source : benchmarks()) {
    if (property == nullptr || source->*property) names.push_back(source->name);
  }
  return names;
}

}  // namespace xkde
