#ifndef XKDE_CORE_EDIT_EDIT_METRICS_H_
#define XKDE_CORE_EDIT_EDIT_METRICS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/edit/edit_questions.h"
#include "core/io/json_file.h"

namespace xkde {

/// The share of equal ids, position by position, in [0, 1]: token accuracy against target ids,
/// locality against the ids predicted without the edit. Throws InternalError when both have not the
/// same length or are empty.
double token_accuracy(std::span<const int64_t> predicted, std::span<const int64_t> reference);

/// `value` with two decimals, halves to even on the binary double, as Python's round(value, 2).
double round_2(double value);

/// What all lines of one run of an evaluation share.
struct EvalScope {
  std::string benchmark;
  std::string phase;  ///< "before" | "after"
  std::string mode;   ///< "single" | "batch" | "sequential"
  int64_t size = 1;   ///< edits that the memory holds; 1 in single mode
};

/// One scored question. Languages are written as the caller gives them.
struct Prediction {
  int64_t record = 0;
  std::string edit_language;
  std::string test_language;
  Metric metric = Metric::kReliability;
  std::string prompt;                  ///< as asked with the edit
  std::vector<int64_t> target_ids;     ///< locality: the ids predicted without the edit
  std::vector<int64_t> predicted_ids;  ///< locality: the ids predicted with it
  double score = 0;
  std::optional<std::vector<int64_t>>
      retrieved;  ///< records whose facts were in the context; none without retrieval
};

using LanguagePair = std::pair<std::string, std::string>;  ///< edit, test

/// Orders by pair (as in `pairs`), record, metric: the same on any number of ranks. Throws
/// InternalError on a pair that is not in `pairs`.
void sort_predictions(std::vector<Prediction>& predictions, const std::vector<LanguagePair>& pairs);

/// One line of predictions.jsonl (docs/architecture.md).
Json prediction_json(const EvalScope& scope, const Prediction& prediction);

/// One row of results.json; `value` is empty when n == 0.
struct ResultRow {
  EvalScope scope;
  std::string edit_language;
  std::string test_language;
  std::string metric;
  std::optional<double> value;  ///< percent, two decimals
  int64_t n = 0;
};

/// The four metrics of every pair, in the order of `pairs` and kMetrics: 100 * the plain mean over
/// records, added in the order of sort_predictions, which `predictions` must have.
std::vector<ResultRow> summarize(const EvalScope& scope, const std::vector<LanguagePair>& pairs,
                                 const std::vector<Prediction>& predictions);

Json result_json(const ResultRow& row);
Json results_json(const std::vector<ResultRow>& rows);  ///< the whole of results.json
/// The rows of a results.json. Throws DataError "name: row 2: value: expected ..., found ...".
std::vector<ResultRow> parse_results(const Json& json, const std::string& name);

}  // namespace xkde

#endif  // XKDE_CORE_EDIT_EDIT_METRICS_H_
