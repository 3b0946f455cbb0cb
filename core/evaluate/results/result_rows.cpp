#include "core/evaluate/results/result_rows.h"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/text/plural.h"

namespace xkde {

namespace {

constexpr PlainMetric kPlainMetrics[] = {{"nll", 4}, {"perplexity", 2}, {"bits_per_byte", 4}};

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

/// Of a row about edits: which records, in what order, and what drew them.
void add_records(Json& json, const ResultRow& row) {
  const EvalScope& scope = row.scope;
  if (scope.order.empty()) return;
  json["batch"] = scope.batch;
  json["records"] = scope.records;
  json["order"] = scope.order;
  json["seed"] = scope.seed ? Json(*scope.seed) : Json(nullptr);
  json["run_seed"] = scope.run_seed ? Json(*scope.run_seed) : Json(nullptr);
  if (scope.order != kDrawnOrder || scope.seed) return;
  json["seeds"] = row.num_seeds;
  json["spread"] = row.spread ? Json(*row.spread) : Json(nullptr);
}

void read_records(const Json& item, const std::string& place, ResultRow& row) {
  const auto integer = [&](const char* key) -> std::optional<int64_t> {
    if (!item.contains(key) || item[key].is_null()) return std::nullopt;
    return required_integer(item, key, place);
  };
  if (item.contains("order")) row.scope.order = required_text(item, "order", place);
  row.scope.batch = integer("batch").value_or(0);
  row.scope.records = integer("records").value_or(0);
  row.scope.seed = integer("seed");
  row.scope.run_seed = integer("run_seed");
  row.num_seeds = integer("seeds").value_or(0);
}

Json published_json(const std::vector<PublishedValue>& values) {
  Json json = Json::array();
  for (const PublishedValue& one : values)
    json.push_back(
        {{"value", one.value}, {"paper", one.paper}, {"model", one.model}, {"mark", one.mark}});
  return json;
}

std::vector<PublishedValue> read_published(const Json& item, const std::string& place) {
  std::vector<PublishedValue> values;
  if (!item.contains("published")) return values;
  for (const Json& one : required(item, "published", &Json::is_array, "a list", place)) {
    XKDE_CHECK(one.is_object(), DataError, place, ": published: expected a list of objects, found ",
               one.dump());
    const std::string at = place + ": published";
    values.push_back({required(one, "value", &Json::is_number, "a number", at).get<double>(),
                      required_text(one, "paper", at), required_text(one, "model", at),
                      required_text(one, "mark", at)});
  }
  return values;
}

}  // namespace

std::string pair_text(const LanguagePair& pair) {
  return pair.first.empty() ? pair.second : pair.first + " → " + pair.second;
}

const PlainMetric* plain_metric(std::string_view metric) {
  for (const PlainMetric& one : kPlainMetrics) {
    if (one.name == metric) return &one;
  }
  return nullptr;
}

int decimals_of(std::string_view metric) {
  const PlainMetric* plain = plain_metric(metric);
  return plain != nullptr ? plain->decimals : 2;
}

std::string value_text(double value, std::string_view metric) {
  return fmt::format("{:.{}f}", value, decimals_of(metric));
}

double round_2(double value) {
  // fmt prints the exact binary value rounded half to even, which is how Python rounds; value *
  // 100 would not be.
  return std::strtod(fmt::format("{:.2f}", value).c_str(), nullptr);
}

std::string published_text(const ResultRow& row) {
  std::string text;
  for (const PublishedValue& one : row.published) {
    text += (text.empty() ? "" : ", ") + value_text(one.value, row.metric);
    if (one.mark == kQuotedMark) text += "*";
  }
  return text;
}

std::string published_note(std::span<const ResultRow* const> rows) {
  std::vector<std::string> papers;
  bool is_quoted = false;
  for (const ResultRow* row : rows) {
    for (const PublishedValue& one : row->published) {
      const std::string paper = concat(one.paper, " (", one.model, ")");
      if (std::ranges::count(papers, paper) == 0) papers.push_back(paper);
      is_quoted |= one.mark == kQuotedMark;
    }
  }
  if (papers.empty()) return "";
  std::string text = concat("published: ", fmt::format("{}", fmt::join(papers, "; ")));
  if (is_quoted) text += "; * as notes about the paper quote it, not checked";
  return text;
}

std::string records_text(const ResultRow& row) {
  const EvalScope& scope = row.scope;
  if (scope.order.empty()) return "";
  std::string text = std::to_string(scope.records);
  if (scope.order != kDrawnOrder) return text + " in file order";
  text += " drawn by ";
  return text + (scope.seed ? concat("seed ", *scope.seed) : count_of(row.num_seeds, "seed"));
}

Json result_json(const ResultRow& row) {
  Json json = scope_json(row.scope);
  json["edit_language"] = row.edit_language;
  json["test_language"] = row.test_language;
  json["metric"] = row.metric;
  json["value"] = row.value ? Json(*row.value) : Json(nullptr);
  json["n"] = row.n;
  json["low"] = row.low ? Json(*row.low) : Json(nullptr);
  json["high"] = row.high ? Json(*row.high) : Json(nullptr);
  json["method"] = row.scope.method;
  if (!row.scope.eval_when.empty()) json["eval_when"] = row.scope.eval_when;
  add_records(json, row);
  if (!row.published.empty()) json["published"] = published_json(row.published);
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
    row.scope = {.benchmark = required_text(item, "benchmark", place),
                 .phase = required_text(item, "phase", place),
                 .mode = required_text(item, "mode", place),
                 .size = required_integer(item, "size", place),
                 .method = "xkde"};
    if (item.contains("method")) row.scope.method = required_text(item, "method", place);
    if (item.contains("eval_when")) row.scope.eval_when = required_text(item, "eval_when", place);
    row.edit_language = required_text(item, "edit_language", place);
    row.test_language = required_text(item, "test_language", place);
    row.metric = required_text(item, "metric", place);
    row.n = required_integer(item, "n", place);
    if (row.n > 0)
      row.value = required(item, "value", &Json::is_number, "a number", place).get<double>();
    read_records(item, place, row);
    row.published = read_published(item, place);
    for (const auto& [key, bound] : {std::pair{"low", &row.low}, std::pair{"high", &row.high},
                                     std::pair{"spread", &row.spread}}) {
      if (item.contains(key) && !item[key].is_null())
        *bound = required(item, key, &Json::is_number, "a number", place).get<double>();
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace xkde
