#ifndef XKDE_CORE_EVALUATE_EXTRA_METRICS_H_
#define XKDE_CORE_EVALUATE_EXTRA_METRICS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/metrics/answer_overlap.h"
#include "core/text/tokenizer/tokenizer.h"

namespace xkde {

/// What a metric looks at. Tokens: the ids that the model predicts for a target. Free answer: what
/// the model says by itself, which locality is not asked for. Continuation: the edit's question,
/// continued at random (protocol 6.5), once for each record.
enum class MetricInput { kTokens, kFreeAnswer, kContinuation };

/// What the model answered, as far as the metric's input needs it; the rest is empty.
struct Answered {
  std::span<const int64_t> predicted_ids = {};
  std::span<const int64_t> target_ids = {};  ///< locality: ids predicted without the edit
  std::string_view text = {};                ///< the free answer, or prompt and continuation
  std::span<const std::string> right = {};   ///< answers that are right, at least one
  std::string_view language = {};            ///< ISO code of the test language
  F1Formula f1_formula = F1Formula::kHarmonic;
  const Tokenizer* tokenizer = nullptr;  ///< never null for tokens
};

/// A number that is counted beside token accuracy when a recipe asks for it. To add one, add a line
/// to the table in extra_metrics.cpp.
struct ExtraMetric {
  std::string_view name;  ///< in predictions.jsonl, and in results.json before the question's kind
  std::string_view key;   ///< in `evaluate.extra_metrics`; several metrics may share one
  MetricInput input;
  double (*score)(const Answered& answered);  ///< at least 0; results.json has 100 times the mean
};

/// Every extra metric, in the order of the output files.
std::span<const ExtraMetric> extra_metrics();
/// The keys that recipes may name, each once.
std::vector<std::string_view> extra_metric_keys();
/// The metrics with one of `keys`, in the order of the table.
std::vector<const ExtraMetric*> chosen_metrics(std::span<const std::string> keys);
/// Whether a metric with one of `keys` looks at `input`.
bool needs(std::span<const std::string> keys, MetricInput input);

/// A metric of the table and its value for one question.
struct ExtraScore {
  const ExtraMetric* metric = nullptr;
  double value = 0;
};

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EXTRA_METRICS_H_
