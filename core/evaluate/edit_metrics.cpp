#include "core/evaluate/edit_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/evaluate/eval_plan.h"
#include "core/metrics/bootstrap.h"

namespace xkde {

namespace {

std::optional<double> value_of(const Prediction& prediction, const ExtraMetric& metric) {
  for (const ExtraScore& score : prediction.extra) {
    if (score.metric->name == metric.name) return score.value;
  }
  return std::nullopt;
}

double mean_of(const std::vector<double>& values) {
  double total = 0;
  for (const double value : values) total += value;
  return total / static_cast<double>(values.size());
}

/// The mean over the prompts of one kind, for each record that has one.
template <typename ScoreOf>
std::map<int64_t, double> record_means(std::span<const Prediction> predictions,
                                       const MetricKind& kind, const ScoreOf& score_of) {
  std::map<int64_t, std::vector<double>> scores;
  for (const Prediction& prediction : predictions) {
    if (prediction.kind != kind) continue;
    if (const std::optional<double> score = score_of(prediction))
      scores[prediction.record].push_back(*score);
  }
  std::map<int64_t, double> means;
  for (const auto& [record, values] : scores) means[record] = mean_of(values);
  return means;
}

std::vector<double> values_of(const std::map<int64_t, double>& means) {
  std::vector<double> values;
  for (const auto& [record, value] : means) values.push_back(value);
  return values;
}

/// A metric over its kinds.
std::vector<double> over_kinds(const std::vector<std::map<int64_t, double>>& kinds,
                               Averaging averaging) {
  if (averaging == Averaging::kEasyEdit) {
    std::map<int64_t, std::vector<double>> of_record;
    for (const auto& means : kinds) {
      for (const auto& [record, value] : means) of_record[record].push_back(value);
    }
    std::vector<double> values;
    for (const auto& [record, means] : of_record) values.push_back(mean_of(means));
    return values;
  }
  // Weighted so that their plain mean is the mean of the kinds' means.
  size_t total = 0;
  for (const auto& means : kinds) total += means.size();
  std::vector<double> values;
  for (const auto& means : kinds) {
    const double weight =
        static_cast<double>(total) / static_cast<double>(kinds.size() * means.size());
    for (const auto& [record, value] : means) values.push_back(weight * value);
  }
  return values;
}

std::set<MetricKind> kinds_of(std::span<const Prediction> predictions, Metric metric) {
  std::set<MetricKind> kinds;
  for (const Prediction& prediction : predictions) {
    if (prediction.kind.metric == metric) kinds.insert(prediction.kind);
  }
  return kinds;
}

/// The metric and, where it has several, its kinds; `prefix` "f1." counts something else by them.
template <typename ScoreOf>
void add_metric(std::vector<MetricSeries>& all, const std::string& prefix, Metric metric,
                std::span<const Prediction> predictions, Averaging averaging,
                const ScoreOf& score_of) {
  std::vector<std::map<int64_t, double>> means;
  std::vector<MetricSeries> parts;
  for (const MetricKind& kind : kinds_of(predictions, metric)) {
    auto of_kind = record_means(predictions, kind, score_of);
    if (of_kind.empty()) continue;
    if (kind.probe) parts.push_back({prefix + kind.name(), values_of(of_kind)});
    means.push_back(std::move(of_kind));
  }
  all.push_back(
      {prefix + std::string(name_of(kMetricNames, metric)), over_kinds(means, averaging)});
  std::move(parts.begin(), parts.end(), std::back_inserter(all));
}

/// As add_metric over all for which `is_counted`, without those that nobody asked.
template <typename ScoreOf, typename IsCounted>
void add_asked(std::vector<MetricSeries>& all, const std::string& prefix,
               std::span<const Prediction> predictions, Averaging averaging,
               const ScoreOf& score_of, const IsCounted& is_counted) {
  std::vector<MetricSeries> found;
  for (const auto& [name, metric] : kMetricNames) {
    if (is_counted(metric)) add_metric(found, prefix, metric, predictions, averaging, score_of);
  }
  for (MetricSeries& series : found) {
    if (!series.values.empty()) all.push_back(std::move(series));
  }
}

/// As add_asked over all there are.
template <typename ScoreOf>
void add_others(std::vector<MetricSeries>& all, const std::string& prefix,
                std::span<const Prediction> predictions, Averaging averaging,
                const ScoreOf& score_of) {
  add_asked(all, prefix, predictions, averaging, score_of, [](Metric) { return true; });
}

/// LTE makes a run for each kind of question, and reports how well the edits of its records took:
/// "reliability.portability.Reasoning".
void add_reliability_by_kind(std::vector<MetricSeries>& all,
                             std::span<const Prediction> predictions) {
  const auto score = [](const Prediction& p) -> std::optional<double> { return p.score; };
  const auto reliability = record_means(predictions, {Metric::kReliability}, score);
  for (const Metric metric : {Metric::kLocality, Metric::kPortability}) {
    for (const MetricKind& kind : kinds_of(predictions, metric)) {
      if (!kind.probe) continue;
      MetricSeries series{"reliability." + kind.name(), {}};
      for (const auto& [record, value] : record_means(predictions, kind, score)) {
        if (const auto found = reliability.find(record); found != reliability.end())
          series.values.push_back(found->second);
      }
      all.push_back(std::move(series));
    }
  }
}

void add_hits(std::vector<MetricSeries>& all, int64_t k, std::span<const Prediction> predictions,
              Averaging averaging) {
  const std::string name = "retrieval.hit@" + std::to_string(k);
  const auto is_hit = [k](const Prediction& p) -> std::optional<double> {
    return p.rank_of_fact > 0 && p.rank_of_fact <= k ? 1.0 : 0.0;
  };
  MetricSeries overall{name, {}};
  for (const Prediction& prediction : predictions) {
    if (!is_built(prediction.kind.metric)) overall.values.push_back(*is_hit(prediction));
  }
  all.push_back(std::move(overall));
  add_others(all, name + ".", predictions, averaging, is_hit);
}

const ScoredFreeAnswer* answer_in(const Prediction& prediction, FreeContext context) {
  for (const ScoredFreeAnswer& one : prediction.free) {
    if (one.context == context) return &one;
  }
  return nullptr;
}

std::optional<double> value_of(const std::vector<FreeScore>& scores, const FreeScorer& scorer) {
  for (const FreeScore& score : scores) {
    if (score.scorer->name == scorer.name) return score.value;
  }
  return std::nullopt;
}

/// Nothing where there is no verdict.
std::optional<double> value_of(const std::optional<JudgedAnswer>& judged) {
  if (!judged || !judged->verdict) return std::nullopt;
  return judged->verdict->is_right() ? 1.0 : 0.0;
}

void add_free_answers(std::vector<MetricSeries>& all, std::span<const Prediction> predictions,
                      Averaging averaging) {
  using Scores = std::vector<FreeScore> ScoredFreeAnswer::*;
  using Judged = std::optional<JudgedAnswer> ScoredFreeAnswer::*;
  for (const auto& [context_name, context] : kFreeContextNames) {
    const std::string name = concat("free.", context_name, ".");
    const auto of_scores = [&](const std::string& prefix, Scores scores) {
      for (const FreeScorer& scorer : free_scorers()) {
        add_others(all, concat(prefix, scorer.name, "."), predictions, averaging,
                   [&, in = context](const Prediction& p) -> std::optional<double> {
                     const ScoredFreeAnswer* answer = answer_in(p, in);
                     return answer == nullptr ? std::nullopt : value_of(answer->*scores, scorer);
                   });
      }
    };
    const auto of_judge = [&](const std::string& prefix, Judged judged) {
      add_others(all, concat(prefix, kJudgeScorer, "."), predictions, averaging,
                 [&, in = context](const Prediction& p) -> std::optional<double> {
                   const ScoredFreeAnswer* answer = answer_in(p, in);
                   return answer == nullptr ? std::nullopt : value_of(answer->*judged);
                 });
    };
    of_scores(name, &ScoredFreeAnswer::scores);
    of_judge(name, &ScoredFreeAnswer::judged);
    add_others(all, name + "did_not_stop.", predictions, averaging,
               [in = context](const Prediction& p) -> std::optional<double> {
                 const ScoredFreeAnswer* answer = answer_in(p, in);
                 if (answer == nullptr) return std::nullopt;
                 return answer->answer.stopped ? 0.0 : 1.0;
               });
    of_scores("base_" + name, &ScoredFreeAnswer::base_scores);
    of_judge("base_" + name, &ScoredFreeAnswer::base_judged);
  }
}

/// What is counted by age of one question: of its own answer, or of that right after its edit.
class Aged {
 public:
  Aged(const AgeBin& bin, bool is_at_once) : bin_(bin), is_at_once_(is_at_once) {}

  std::string prefix() const {
    return concat("age.", bin_.name(), is_at_once_ ? ".at_once." : ".");
  }
  /// Null: the question is not of this age.
  const Prediction* of(const Prediction& prediction) const {
    if (!prediction.age || age_bin(*prediction.age) != bin_) return nullptr;
    if (!is_at_once_) return &prediction;
    return prediction.at_once.empty() ? nullptr : &prediction.at_once.front();
  }

 private:
  AgeBin bin_;
  bool is_at_once_;
};

void add_aged(std::vector<MetricSeries>& all, const Aged& aged,
              std::span<const Prediction> predictions, Averaging averaging) {
  const auto is_counted = [](Metric metric) {
    return metric == Metric::kReliability || metric == Metric::kGenerality;
  };
  add_asked(
      all, aged.prefix(), predictions, averaging,
      [&](const Prediction& p) {
        const Prediction* told = aged.of(p);
        return told == nullptr ? std::nullopt : std::optional(told->score);
      },
      is_counted);
  for (const auto& [context_name, context] : kFreeContextNames) {
    const auto add_free = [&, in = context, name = context_name](std::string_view scorer,
                                                                 const auto& value) {
      add_asked(
          all, concat(aged.prefix(), "free.", name, ".", scorer, "."), predictions, averaging,
          [&](const Prediction& p) -> std::optional<double> {
            const Prediction* told = aged.of(p);
            const ScoredFreeAnswer* answer = told == nullptr ? nullptr : answer_in(*told, in);
            return answer == nullptr ? std::nullopt : value(*answer);
          },
          is_counted);
    };
    for (const FreeScorer& scorer : free_scorers()) {
      add_free(scorer.name,
               [&](const ScoredFreeAnswer& answer) { return value_of(answer.scores, scorer); });
    }
    add_free(kJudgeScorer, [](const ScoredFreeAnswer& answer) { return value_of(answer.judged); });
  }
}

void add_ages(std::vector<MetricSeries>& all, std::span<const Prediction> predictions,
              Averaging averaging) {
  std::set<AgeBin> bins;
  for (const Prediction& prediction : predictions) {
    if (prediction.age) bins.insert(age_bin(*prediction.age));
  }
  for (const AgeBin& bin : bins) {
    add_aged(all, Aged(bin, false), predictions, averaging);
    add_aged(all, Aged(bin, true), predictions, averaging);
  }
}

std::vector<MetricSeries> series_of(std::span<const Prediction> predictions,
                                    std::span<const MetricSeries> of_edits,
                                    const SummaryOptions& options) {
  const auto score = [](const Prediction& p) -> std::optional<double> { return p.score; };
  std::vector<MetricSeries> all;
  for (const Metric metric : kMetrics)
    add_metric(all, "", metric, predictions, options.averaging, score);
  if (options.averaging == Averaging::kLte) add_reliability_by_kind(all, predictions);
  add_asked(all, "", predictions, options.averaging, score, is_built);
  all.insert(all.end(), of_edits.begin(), of_edits.end());
  add_others(all, "base_", predictions, options.averaging,
             [](const Prediction& p) { return p.base_locality; });
  for (const ExtraMetric& metric : extra_metrics()) {
    add_others(all, std::string(metric.name) + ".", predictions, options.averaging,
               [&metric](const Prediction& p) { return value_of(p, metric); });
  }
  add_free_answers(all, predictions, options.averaging);
  if (options.k > 0) add_hits(all, 1, predictions, options.averaging);
  if (options.k > 1) add_hits(all, options.k, predictions, options.averaging);
  add_ages(all, predictions, options.averaging);
  return all;
}

void add_verdict(const std::string& prefix, const std::optional<JudgedAnswer>& judged,
                 Json& of_context) {
  if (!judged || !judged->verdict) return;
  of_context[concat(prefix, kJudgeScorer)] = *value_of(judged);
  of_context[concat(prefix, kJudgeScorer, "_log_probs")] = {{"yes", judged->verdict->yes},
                                                            {"no", judged->verdict->no}};
}

Json free_json(const std::vector<ScoredFreeAnswer>& answers) {
  Json json = Json::object();
  for (const ScoredFreeAnswer& one : answers) {
    Json& of_context = json[std::string(name_of(kFreeContextNames, one.context))];
    of_context["answer"] = one.answer.text;
    of_context["stopped"] = one.answer.stopped;
    for (const auto& [scorer, value] : one.scores) of_context[std::string(scorer->name)] = value;
    add_verdict("", one.judged, of_context);
    for (const auto& [scorer, value] : one.base_scores)
      of_context["base_" + std::string(scorer->name)] = value;
    add_verdict("base_", one.base_judged, of_context);
  }
  return json;
}

Json retrieved_json(const Prediction& prediction) {
  return prediction.retrieved ? Json(*prediction.retrieved) : Json(nullptr);
}

/// What may differ from the question's own line.
Json at_once_json(const Prediction& prediction) {
  Json json{{"prompt", prediction.prompt},
            {"target_ids", prediction.target_ids},
            {"predicted_ids", prediction.predicted_ids},
            {"score", prediction.score},
            {"retrieved", retrieved_json(prediction)}};
  if (!prediction.free.empty()) json["free"] = free_json(prediction.free);
  return json;
}

}  // namespace

double token_accuracy(std::span<const int64_t> predicted, std::span<const int64_t> reference) {
  XKDE_CHECK(!reference.empty() && predicted.size() == reference.size(), InternalError,
             "token accuracy: expected as many predicted as reference ids, found ",
             predicted.size(), " and ", reference.size());
  int64_t equal = 0;
  for (size_t i = 0; i < reference.size(); ++i) equal += predicted[i] == reference[i] ? 1 : 0;
  return static_cast<double>(equal) / static_cast<double>(reference.size());
}

Json prediction_json(const EvalScope& scope, const Prediction& prediction) {
  Json json;
  json["record"] = prediction.record;
  json["phase"] = scope.phase;
  json["mode"] = scope.mode;
  json["size"] = scope.size;
  if (scope.seed) json["seed"] = *scope.seed;
  json["edit_language"] = prediction.edit_language;
  json["test_language"] = prediction.test_language;
  json["metric"] = prediction.kind.name();
  json["probe"] = prediction.probe;
  json["prompt"] = prediction.prompt;
  json["target_ids"] = prediction.target_ids;
  json["predicted_ids"] = prediction.predicted_ids;
  json["score"] = prediction.score;
  json["retrieved"] = retrieved_json(prediction);
  if (prediction.base_locality) json["base_locality"] = *prediction.base_locality;
  for (const auto& [metric, value] : prediction.extra) {
    // The answer stands before the first metric that looks at it.
    if (metric->input == MetricInput::kFreeAnswer) json["answer"] = prediction.answer.value_or("");
    json[std::string(metric->name)] = value;
  }
  json["fact"] = prediction.fact;
  json["question"] = prediction.question;
  json["target"] = prediction.target;
  json["target_text"] = prediction.target_text;
  json["predicted_text"] = prediction.predicted_text;
  if (!prediction.free.empty()) json["free"] = free_json(prediction.free);
  if (prediction.age) json["age"] = *prediction.age;
  if (!prediction.at_once.empty()) json["at_once"] = at_once_json(prediction.at_once.front());
  return json;
}

std::vector<ResultRow> summarize(const EvalScope& scope, const LanguagePair& pair,
                                 std::span<const Prediction> predictions,
                                 std::span<const MetricSeries> of_edits,
                                 const SummaryOptions& options) {
  std::vector<ResultRow> rows;
  for (const MetricSeries& series : series_of(predictions, of_edits, options)) {
    ResultRow row{.scope = scope,
                  .edit_language = pair.first,
                  .test_language = pair.second,
                  .metric = series.metric,
                  .value = std::nullopt,
                  .n = static_cast<int64_t>(series.values.size())};
    if (row.n > 0) row.value = round_2(100 * mean_of(series.values));
    if (const auto bounds = bootstrap_interval(series.values, options.resamples, options.seed)) {
      row.low = round_2(100 * bounds->low);
      row.high = round_2(100 * bounds->high);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<ResultRow> over_seeds(std::span<const ResultRow> rows) {
  using Key = std::tuple<int64_t, std::string, std::string, std::string>;
  std::map<Key, size_t> places;
  std::vector<ResultRow> means;
  std::vector<std::vector<double>> values;
  for (const ResultRow& row : rows) {
    const Key key{row.scope.size, row.edit_language, row.test_language, row.metric};
    const auto [place, is_new] = places.emplace(key, means.size());
    if (is_new) {
      means.push_back(row);
      means.back().scope.seed.reset();
      means.back().low = means.back().high = std::nullopt;
      means.back().n = 0;
      values.emplace_back();
    }
    means[place->second].n += row.n;
    if (row.value) values[place->second].push_back(*row.value);
  }
  for (size_t i = 0; i < means.size(); ++i) {
    means[i].num_seeds = std::ssize(values[i]);
    if (values[i].empty()) continue;
    const double mean = mean_of(values[i]);
    means[i].value = round_2(mean);
    double squares = 0;
    for (const double value : values[i]) squares += (value - mean) * (value - mean);
    if (values[i].size() > 1)
      means[i].spread = round_2(std::sqrt(squares / static_cast<double>(values[i].size() - 1)));
  }
  return means;
}

}  // namespace xkde
