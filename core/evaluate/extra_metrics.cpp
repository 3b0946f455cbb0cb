#include "core/evaluate/extra_metrics.h"

#include <algorithm>

#include "core/metrics/fluency.h"
#include "core/metrics/normalized_answer.h"

namespace xkde {
namespace {

double fluency(const Answered& answered) { return ngram_entropy(fluency_text(answered.text)); }

/// Texts are compared by the ids of the decoded texts, as EasyEdit does (protocol 6.6).
double f1(const Answered& answered) {
  const Tokenizer& tokenizer = *answered.tokenizer;
  return answer_f1(tokenizer.encode(tokenizer.decode(answered.predicted_ids)),
                   tokenizer.encode(tokenizer.decode(answered.target_ids)), answered.f1_formula);
}

double exact_tokens(const Answered& answered) {
  const Tokenizer& tokenizer = *answered.tokenizer;
  return tokenizer.decode(answered.predicted_ids) == tokenizer.decode(answered.target_ids) ? 1.0
                                                                                           : 0.0;
}

double exact_answer(const Answered& answered) {
  return matches_any(answered.text, answered.right, answered.language) ? 1.0 : 0.0;
}

constexpr ExtraMetric kExtraMetrics[] = {
    {"fluency", "fluency", MetricInput::kContinuation, fluency},
    {"f1", "f1", MetricInput::kTokens, f1},
    {"em", "f1", MetricInput::kTokens, exact_tokens},
    {"exact", "exact", MetricInput::kFreeAnswer, exact_answer},
};

}  // namespace

std::span<const ExtraMetric> extra_metrics() { return kExtraMetrics; }

std::vector<std::string_view> extra_metric_keys() {
  std::vector<std::string_view> keys;
  for (const ExtraMetric& metric : kExtraMetrics) {
    if (std::find(keys.begin(), keys.end(), metric.key) == keys.end()) keys.push_back(metric.key);
  }
  return keys;
}

std::vector<const ExtraMetric*> chosen_metrics(std::span<const std::string> keys) {
  std::vector<const ExtraMetric*> chosen;
  for (const ExtraMetric& metric : kExtraMetrics) {
    if (std::find(keys.begin(), keys.end(), metric.key) != keys.end()) chosen.push_back(&metric);
  }
  return chosen;
}

bool needs(std::span<const std::string> keys, MetricInput input) {
  const auto chosen = chosen_metrics(keys);
  return std::any_of(chosen.begin(), chosen.end(),
                     [input](const ExtraMetric* metric) { return metric->input == input; });
}

}  // namespace xkde
