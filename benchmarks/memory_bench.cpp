// Exact search in an edit memory: one JSON line a case.
//   memory_bench [--facts 1000000] [--width 384] [--queries 64] [--k 1] [--repeats 7]
//                [--portable] [--data spectrum|isotropic]
// Kinds of data: `spectrum` has principal axes of decaying strength, as embeddings have;
// `isotropic` has none, so that nothing can be left out. Kinds of queries: `matching` are facts
// with noise, `unrelated` are drawn like the facts. The first search, which makes the codes, is
// timed apart (prepare_seconds).

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "core/base/stopwatch.h"
#include "core/memory/fact_index.h"

namespace {

using namespace xkde;

struct Settings {
  int64_t facts = 1000000;
  int64_t width = 384;
  int64_t queries = 64;
  int64_t k = 1;
  int repeats = 7;
  bool portable = false;
  double decay = 0.6;
};

at::Tensor noise(int64_t rows, int64_t width, uint64_t seed) {
  return at::randn({rows, width}, at::detail::createCPUGenerator(seed), at::kFloat);
}

at::Tensor axes(const Settings& settings, bool isotropic) {
  return at::arange(1, settings.width + 1, at::kFloat).pow(isotropic ? 0.0 : -settings.decay);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void run(const Settings& settings, bool isotropic) {
  const at::Tensor strength = axes(settings, isotropic);
  FactIndex index(settings.width, {.portable = settings.portable});
  constexpr int64_t kPart = 65536;
  at::Tensor some;
  for (int64_t i = 0; i < settings.facts; i += kPart) {
    some = noise(std::min(kPart, settings.facts - i), settings.width, static_cast<uint64_t>(i)) *
           strength;
    index.append(some);
  }
  const Stopwatch making;
  index.prepare();
  const double prepare = making.seconds();
  const at::Tensor fresh = noise(settings.queries, settings.width, 987654321) * strength;
  for (const bool matching : {true, false}) {
    const at::Tensor near = some.narrow(0, 100, settings.queries);
    const at::Tensor queries = matching ? near + 0.5 * fresh : fresh;
    std::vector<double> seconds;
    float score = 0;
    for (int i = 0; i <= settings.repeats; ++i) {
      const Stopwatch watch;
      const auto hits = index.top_k(queries, settings.k);
      if (i > 0) seconds.push_back(watch.seconds());
      score = hits[0][0].score;
    }
    const nlohmann::json line = {
        {"bench", "memory_search"},
        {"data", isotropic ? "isotropic" : "spectrum"},
        {"queries_kind", matching ? "matching" : "unrelated"},
        {"facts", settings.facts},
        {"width", settings.width},
        {"queries", settings.queries},
        {"k", settings.k},
        {"threads", at::get_num_threads()},
        {"first_score", score},
        {"prepare_seconds", prepare},
        {"seconds_median", median(seconds)},
        {"seconds_min", *std::min_element(seconds.begin(), seconds.end())}};
    std::cout << line.dump() << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app{"Exact search in an edit memory"};
  app.add_option("--facts", settings.facts);
  app.add_option("--width", settings.width);
  app.add_option("--queries", settings.queries);
  app.add_option("--k", settings.k);
  app.add_option("--repeats", settings.repeats);
  app.add_option("--decay", settings.decay);
  app.add_flag("--portable", settings.portable);
  CLI11_PARSE(app, argc, argv);
  run(settings, false);
  run(settings, true);
  return 0;
}
