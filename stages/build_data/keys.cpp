#include "stages/build_data/keys.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace xkde::recipe {
namespace {

constexpr std::string_view kSources[] = {"bizsre",       "mzsre",       "bmike53",
                                         "bizsre_train", "mzsre_train", "zsre",
                                         "wikibio",      "recent",      "counterfact"};

constexpr Condition<double> kWholeShare{
    "a number from 0 to 1", [](const double& value) { return value >= 0 && value <= 1; }};

// Of the five nearest facts one is the fact itself.
constexpr size_t kMostDistractors = 4;

}  // namespace

const Names kSourceNames{kSources};

QuadrantKeys QuadrantKeys::parse(StrictMap map) {
  QuadrantKeys keys;
  map.repeatable("distractors", keys.distractors, kWholeShare);
  const double sum = std::accumulate(keys.distractors.begin(), keys.distractors.end(), 0.0);
  if (keys.distractors.size() > kMostDistractors + 1)
    map.add_error("distractors", "expected at most 5 shares (of 0 to 4 distractors), found " +
                                     std::to_string(keys.distractors.size()));
  if (std::abs(sum - 1) > 1e-6)
    map.add_error("distractors",
                  "expected shares that add up to 1, found " + Json(sum).dump() + " in all");
  map.optional("in_scope_share", keys.in_scope_share, kWholeShare);
  map.optional("with_edit_share", keys.with_edit_share, kWholeShare);
  map.optional("monolingual_share", keys.monolingual_share, kWholeShare);
  map.optional("src_share", keys.src_share, kWholeShare);
  map.optional("portability_share", keys.portability_share, kWholeShare);
  map.optional("samples_per_pair", keys.samples_per_pair, kNotNegative);
  map.done();
  return keys;
}

Json to_json(const QuadrantKeys& keys) {
  return {{"distractors", keys.distractors},
          {"in_scope_share", keys.in_scope_share},
          {"with_edit_share", keys.with_edit_share},
          {"monolingual_share", keys.monolingual_share},
          {"src_share", keys.src_share},
          {"portability_share", keys.portability_share},
          {"samples_per_pair", keys.samples_per_pair}};
}

ExcludedData ExcludedData::parse(StrictMap map) {
  ExcludedData excluded;
  map.required("benchmark", excluded.benchmark, kSourceNames);
  map.required("data", excluded.data);
  map.done();
  return excluded;
}

Json to_json(const ExcludedData& excluded) {
  return {{"benchmark", excluded.benchmark}, {"data", excluded.data.string()}};
}

}  // namespace xkde::recipe
