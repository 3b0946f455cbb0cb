#include "core/edit/edit_metrics.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <tuple>

#include "core/base/error.h"

namespace xkde {

namespace {

std::map<LanguagePair, size_t> positions_of(const std::vector<LanguagePair>& pairs) {
  std::map<LanguagePair, size_t> positions;
  for (const LanguagePair& pair : pairs) positions.emplace(pair, positions.size());
  return positions;
}

size_t position_of(const std::map<LanguagePair, size_t>& positions, const Prediction& prediction) {
  const auto found = positions.find({prediction.edit_language, prediction.test_language});
  XKDE_CHECK(found != positions.end(), InternalError, "prediction of record ", prediction.record,
             ": the pair ", prediction.edit_language, " -> ", prediction.test_language,
             " is not one of this evaluation");
  return found->second;
}

struct Sum {
  double total = 0;
  int64_t n = 0;
};

Json scope_json(const EvalScope& scope) {
  return {{"benchmark", scope.benchmark},
          {"phase", scope.phase},
          {"mode", scope.mode},
          {"size", scope.size}};
}

const Json& required(const Json& row, const char* key, bool (Json::*is_type)() const noexcept,
                     const char* type, const std::string& place) {
  const auto it = row.find(key);
  XKDE_CHECK(it != row.end() && ((*it).*is_type)(), DataError, place, ": ", key, ": expected ",
             type, ", found ", it == row.end() ? "nothing" : it->dump());
  return *it;
}

std::string required_text(const Json& row, const char* key, const std::string& place) {
  return required(row, key, &Json::is_string, "a string", place).get<std::string>();
}

int64_t required_integer(const Json& row, const char* key, const std::string& place) {
  return required(row, key, &Json::is_number_integer, "an integer", place).get<int64_t>();
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

double round_2(double value) {
  // glibc prints the exact binary value rounded half to even, which is how Python rounds; value *
  // 100 would not be.
  std::array<char, 400> text{};
  std::snprintf(text.data(), text.size(), "%.2f", value);
  return std::strtod(text.data(), nullptr);
}

void sort_predictions(std::vector<Prediction>& predictions,
                      const std::vector<LanguagePair>& pairs) {
  const auto positions = positions_of(pairs);
  std::vector<std::pair<size_t, Prediction>> keyed;
  keyed.reserve(predictions.size());
  for (Prediction& prediction : predictions) {
    const size_t position = position_of(positions, prediction);
    keyed.emplace_back(position, std::move(prediction));
  }
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
    return std::tuple(a.first, a.second.record, a.second.metric) <
           std::tuple(b.first, b.second.record, b.second.metric);
  });
  std::transform(keyed.begin(), keyed.end(), predictions.begin(),
                 [](auto& entry) { return std::move(entry.second); });
}

Json prediction_json(const EvalScope& scope, const Prediction& prediction) {
  Json json;
  json["record"] = prediction.record;
  json["phase"] = scope.phase;
  json["mode"] = scope.mode;
  json["size"] = scope.size;
  json["edit_language"] = prediction.edit_language;
  json["test_language"] = prediction.test_language;
  json["metric"] = metric_name(prediction.metric);
  json["prompt"] = prediction.prompt;
  json["target_ids"] = prediction.target_ids;
  json["predicted_ids"] = prediction.predicted_ids;
  json["score"] = prediction.score;
  json["retrieved"] = prediction.retrieved ? Json(*prediction.retrieved) : Json(nullptr);
  return json;
}

std::vector<ResultRow> summarize(const EvalScope& scope, const std::vector<LanguagePair>& pairs,
                                 const std::vector<Prediction>& predictions) {
  const auto positions = positions_of(pairs);
  std::vector<std::array<Sum, std::size(kMetrics)>> sums(pairs.size());
  for (const Prediction& prediction : predictions) {
    Sum& sum = sums[position_of(positions, prediction)][static_cast<size_t>(prediction.metric)];
    sum.total += prediction.score;
    ++sum.n;
  }
  std::vector<ResultRow> rows;
  for (size_t i = 0; i < pairs.size(); ++i) {
    for (const Metric metric : kMetrics) {
      const Sum& sum = sums[i][static_cast<size_t>(metric)];
      ResultRow row{scope,        pairs[i].first, pairs[i].second, std::string(metric_name(metric)),
                    std::nullopt, sum.n};
      if (sum.n > 0) row.value = round_2(100 * sum.total / static_cast<double>(sum.n));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

Json result_json(const ResultRow& row) {
  Json json = scope_json(row.scope);
  json["edit_language"] = row.edit_language;
  json["test_language"] = row.test_language;
  json["metric"] = row.metric;
  json["value"] = row.value ? Json(*row.value) : Json(nullptr);
  json["n"] = row.n;
  return json;
}

Json results_json(const std::vector<ResultRow>& rows) {
  Json json = Json::array();
  for (const ResultRow& row : rows) json.push_back(result_json(row));
  return json;
}

std::vector<ResultRow> parse_results(const Json& json, const std::string& name) {
  XKDE_CHECK(json.is_array(), DataError, name,
             ": expected an array of results, found a value of type ", json.type_name());
  std::vector<ResultRow> rows;
  for (size_t i = 0; i < json.size(); ++i) {
    const std::string place = concat(name, ": row ", i);
    const Json& item = json[i];
    XKDE_CHECK(item.is_object(), DataError, place, ": expected an object, found a value of type ",
               item.type_name());
    ResultRow row;
    row.scope = {required_text(item, "benchmark", place), required_text(item, "phase", place),
                 required_text(item, "mode", place), required_integer(item, "size", place)};
    row.edit_language = required_text(item, "edit_language", place);
    row.test_language = required_text(item, "test_language", place);
    row.metric = required_text(item, "metric", place);
    row.n = required_integer(item, "n", place);
    if (row.n > 0)
      row.value = required(item, "value", &Json::is_number, "a number", place).get<double>();
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace xkde
