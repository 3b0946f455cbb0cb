#ifndef XKDE_CORE_EVALUATE_EDIT_METRICS_H_
#define XKDE_CORE_EVALUATE_EDIT_METRICS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/named.h"
#include "core/edit/edit_questions.h"
#include "core/evaluate/extra_metrics.h"
#include "core/evaluate/free_answers.h"
#include "core/evaluate/results/result_rows.h"
#include "core/io/json_file.h"

namespace xkde {

/// The share of equal ids, position by position, in [0, 1]: token accuracy against target ids,
/// locality against the ids predicted without the edit. Throws InternalError when both have not the
/// same length or are empty.
double token_accuracy(std::span<const int64_t> predicted, std::span<const int64_t> reference);

/// One scored question. Languages are written as the caller gives them.
struct Prediction {
  int64_t record = 0;
  std::string edit_language;
  std::string test_language;
  MetricKind kind;
  int64_t probe = 0;
  std::string prompt;                  ///< as asked with the edit
  std::vector<int64_t> target_ids;     ///< locality: the ids predicted without the edit
  std::vector<int64_t> predicted_ids;  ///< locality: the ids predicted with it
  std::string target_text = {};        ///< of target_ids
  std::string predicted_text = {};     ///< of predicted_ids
  double score = 0;
  /// Locality against what the untrained model says without the edit, where asked for.
  std::optional<double> base_locality = {};
  std::vector<ExtraScore> extra = {};      ///< in the order of extra_metrics()
  std::optional<std::string> answer = {};  ///< that `exact` looks at, where asked for
  std::string fact = {};                   ///< the edit, in the edit language
  std::string question = {};               ///< without any edit
  std::string target = {};                 ///< of the question, as the file has it
  /// Free answers, in the order of FreeChoice::contexts. Locality is held against the answer that
  /// is given without the edit.
  std::vector<ScoredFreeAnswer> free = {};
  /// Records whose facts were in the context, best first; none without retrieval.
  std::optional<std::vector<int64_t>> retrieved = {};
  /// Place of the question's own fact among them, from 1; 0: not there.
  int64_t rank_of_fact = 0;
  std::optional<int64_t> age = {};  ///< of the edit when it was asked, where results are by age
  /// One where results are by age: the same question, asked right after the edit came.
  std::vector<Prediction> at_once = {};
};

/// One line of predictions.jsonl (protocol 1.7). `age` and `at_once` stand where results are by
/// age.
Json prediction_json(const EvalScope& scope, const Prediction& prediction);

/// How scores of one record become one number (protocol 10.1, Q27). EasyEdit: the mean over the
/// prompts of a kind, then over the record's kinds, then over records. LTE: over the prompts of a
/// kind, and over kinds.
enum class Averaging { kEasyEdit, kLte };
inline constexpr Named<Averaging> kAveragingNames[] = {{"easyedit", Averaging::kEasyEdit},
                                                       {"lte", Averaging::kLte}};

/// The values of one row of results.json: one for each record, in the order of records.
struct MetricSeries {
  std::string metric;
  std::vector<double> values;
};

struct SummaryOptions {
  Averaging averaging = Averaging::kEasyEdit;
  int64_t k = 0;          ///< facts in a context: hit@1 and hit@k; 0: nothing was retrieved
  int64_t resamples = 0;  ///< of the 95 % bootstrap intervals; 0: none
  uint64_t seed = 0;      ///< of the intervals
};

/// The rows of one scope and language pair. `predictions` are ordered by record, kind and probe;
/// sums are added in this order. First the four metrics of kMetrics, asked or not, each followed by
/// its kinds; then what else was counted, as "f1.reliability" or "retrieval.hit@1.locality", and
/// over all questions of these four "retrieval.hit@1". Probes that are built have rows where they
/// were asked. Free answers are "free.CONTEXT.SCORER.reliability" and so on, where a judge is asked
/// with "judge" for SCORER too, "free.CONTEXT.did_not_stop.reliability" where tokens ran out, and,
/// against the untrained model, "base_free.CONTEXT.SCORER.locality". `of_edits` become rows as they
/// are. By age (AgeBin): "age.2-5.reliability" after the last edit, "age.2-5.at_once.reliability"
/// of the same edits right after each, and the same of generality and of their free answers. The
/// value of a row is 100 times the mean of its values.
std::vector<ResultRow> summarize(const EvalScope& scope, const LanguagePair& pair,
                                 std::span<const Prediction> predictions,
                                 std::span<const MetricSeries> of_edits,
                                 const SummaryOptions& options);

/// The means of rows that differ in their seed alone, in the order of the first of each: values
/// without intervals, `n` over all seeds, and the spread of the values.
std::vector<ResultRow> over_seeds(std::span<const ResultRow> rows);

}  // namespace xkde

#endif  // XKDE_CORE_EVALUATE_EDIT_METRICS_H_
