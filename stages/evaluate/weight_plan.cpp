#include "stages/evaluate/weight_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace xkde::recipe {

std::vector<WeightGroup> weight_groups(std::span<const EvalChunk> chunks, int64_t first,
                                       const EvalQuestionnaire& asked) {
  std::map<size_t, std::vector<int64_t>> by_weights;
  for (int64_t i = first; i < std::ssize(chunks); ++i)
    by_weights[chunks[static_cast<size_t>(i)].weights].push_back(i);
  std::vector<WeightGroup> groups;
  for (auto& [weights, of_weights] : by_weights) groups.push_back({weights, std::move(of_weights)});
  const auto edits = [&](const WeightGroup& group) {
    return group.weights == 0 ? EditedWeights{} : asked.edited[group.weights - 1];
  };
  std::ranges::stable_sort(groups, [&](const WeightGroup& one, const WeightGroup& other) {
    if (one.weights == 0 || other.weights == 0) return one.weights < other.weights;
    return edits(one) < edits(other);
  });
  return groups;
}

}  // namespace xkde::recipe
