#include "core/generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/base/vector_math.h"

namespace xkde {
namespace {

constexpr size_t kBlock = 256;

struct Peak {
  float highest;
  bool is_sound;  ///< no NaN, no +infinity
};

/// A pass without branches: std::max_element alone would take as long as all the rest.
XKDE_CLONES Peak find_peak(const float* logits, size_t count) {
  float highest = -INFINITY;
  int unsound = 0;
  for (size_t i = 0; i < count; ++i) {
    highest = logits[i] > highest ? logits[i] : highest;
    unsound |= logits[i] < INFINITY ? 0 : 1;
  }
  return {highest, unsound == 0};
}

XKDE_CLONES void exponentials(const float* logits, size_t count, float highest, float inverse,
                              float* weights) {
  for (size_t i = 0; i < count; ++i) weights[i] = exponential((logits[i] - highest) * inverse);
}

XKDE_CLONES double sum_of(const float* weights, size_t count) {
  constexpr size_t kLanes = 16;
  double lanes[kLanes] = {};
  const size_t whole = count - count % kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += static_cast<double>(weights[i + lane]);
    }
  }
  double sum = 0.0;
  for (size_t i = whole; i < count; ++i) sum += static_cast<double>(weights[i]);
  for (const double lane : lanes) sum += lane;
  return sum;
}

size_t most_likely(std::span<const float> logits) {
  const Peak peak = find_peak(logits.data(), logits.size());
  if (!peak.is_sound) {
    for (size_t i = 0; i < logits.size(); ++i) {
      XKDE_CHECK(logits[i] < INFINITY, NumericError, "logits: expected finite numbers, found ",
                 logits[i], " for token ", i);
    }
  }
  XKDE_CHECK(peak.highest > -INFINITY, NumericError,
             "logits: expected a token that is possible, found none of ", logits.size());
  return static_cast<size_t>(std::find(logits.begin(), logits.end(), peak.highest) -
                             logits.begin());
}

/// Zeroes the weights of the tokens that top_k and top_p leave out.
void cut(std::vector<float>& weights, const SamplingOptions& options) {
  std::vector<size_t> ids(weights.size());
  std::iota(ids.begin(), ids.end(), size_t{0});
  const auto before = [&](size_t a, size_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : a < b;
  };
  if (options.top_k > 0 && options.top_k < std::ssize(ids)) {
    std::nth_element(ids.begin(), ids.begin() + options.top_k, ids.end(), before);
    ids.resize(static_cast<size_t>(options.top_k));
  }
  if (options.top_p < 1.0) {
    std::sort(ids.begin(), ids.end(), before);
    double total = 0.0;
    for (const size_t id : ids) total += static_cast<double>(weights[id]);
    double sum = 0.0;
    size_t count = 0;
    while (count < ids.size() && sum < options.top_p * total) {
      sum += static_cast<double>(weights[ids[count++]]);
    }
    ids.resize(std::max<size_t>(1, count));
  }
  std::vector<float> kept(weights.size(), 0.0F);
  for (const size_t id : ids) kept[id] = weights[id];
  weights = std::move(kept);
}

/// The token in whose share `uniform` lies; `best` where rounding leaves it above the last sum.
size_t draw(const std::vector<float>& weights, double uniform, size_t best) {
  std::vector<double> blocks;
  double total = 0.0;
  for (size_t begin = 0; begin < weights.size(); begin += kBlock) {
    blocks.push_back(sum_of(weights.data() + begin, std::min(kBlock, weights.size() - begin)));
    total += blocks.back();
  }
  const double goal = uniform * total;
  double sum = 0.0;
  size_t block = 0;
  while (block + 1 < blocks.size() && sum + blocks[block] <= goal) sum += blocks[block++];
  size_t drawn = best;
  const size_t end = std::min(weights.size(), (block + 1) * kBlock);
  for (size_t i = block * kBlock; i < end; ++i) {
    if (weights[i] == 0.0F) continue;
    sum += static_cast<double>(weights[i]);
    drawn = i;
    if (goal < sum) break;
  }
  return drawn;
}

}  // namespace

int64_t sample_token(std::span<const float> logits, const SamplingOptions& options,
                     double uniform) {
  const size_t best = most_likely(logits);
  if (options.temperature <= 0.0) return static_cast<int64_t>(best);
  std::vector<float> weights(logits.size());
  exponentials(logits.data(), logits.size(), logits[best],
               static_cast<float>(1.0 / options.temperature), weights.data());
  const bool cuts_k = options.top_k > 0 && options.top_k < std::ssize(weights);
  if (cuts_k || options.top_p < 1.0) cut(weights, options);
  return static_cast<int64_t>(draw(weights, uniform, best));
}

}  // namespace xkde
