#include "core/generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "core/base/error.h"

namespace xkde {
namespace {

size_t most_likely(std::span<const float> logits) {
  for (size_t i = 0; i < logits.size(); ++i) {
    XKDE_CHECK(logits[i] < INFINITY, NumericError, "logits: expected finite numbers, found ",
               logits[i], " for token ", i);
  }
  const auto best = std::max_element(logits.begin(), logits.end());
  XKDE_CHECK(best != logits.end() && *best > -INFINITY, NumericError,
             "logits: expected a token that is possible, found none of ", logits.size());
  return static_cast<size_t>(best - logits.begin());
}

/// The ids that top_k and top_p leave, in ascending order. `weights` are the unnormalised
/// probabilities.
std::vector<size_t> kept_tokens(const std::vector<double>& weights,
                                const SamplingOptions& options) {
  std::vector<size_t> ids(weights.size());
  std::iota(ids.begin(), ids.end(), size_t{0});
  const bool cuts_k = options.top_k > 0 && options.top_k < std::ssize(ids);
  if (!cuts_k && options.top_p >= 1.0) return ids;
  const auto before = [&](size_t a, size_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  };
  if (cuts_k) {
    std::nth_element(ids.begin(), ids.begin() + options.top_k, ids.end(), before);
    ids.resize(static_cast<size_t>(options.top_k));
  }
  if (options.top_p < 1.0) {
    std::sort(ids.begin(), ids.end(), before);
    double total = 0.0;
    for (const size_t id : ids) total += weights[id];
    double sum = 0.0;
    size_t count = 0;
    while (count < ids.size() && sum < options.top_p * total) sum += weights[ids[count++]];
    ids.resize(std::max<size_t>(1, count));
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

}  // namespace

int64_t sample_token(std::span<const float> logits, const SamplingOptions& options,
                     double uniform) {
  const size_t best = most_likely(logits);
  if (options.temperature <= 0.0) return static_cast<int64_t>(best);
  const auto highest = static_cast<double>(logits[best]);
  std::vector<double> weights;
  weights.reserve(logits.size());
  for (const float logit : logits) {
    weights.push_back(std::exp((static_cast<double>(logit) - highest) / options.temperature));
  }
  const std::vector<size_t> ids = kept_tokens(weights, options);
  double total = 0.0;
  for (const size_t id : ids) total += weights[id];
  double sum = 0.0;
  size_t drawn = best;  // where rounding leaves `uniform` above the last sum
  for (const size_t id : ids) {
    if (weights[id] == 0.0) continue;
    sum += weights[id];
    drawn = id;
    if (uniform * total < sum) break;
  }
  return static_cast<int64_t>(drawn);
}

}  // namespace xkde
