#include "stages/report/csv.h"

#include <cstdint>
#include <optional>

#include <fmt/format.h>

namespace xkde::report {
namespace {

std::string number(double value) { return fmt::format("{:.10g}", value); }

std::string number(const std::optional<double>& value) { return value ? number(*value) : ""; }

std::string number(const std::optional<int64_t>& value) {
  return value ? std::to_string(*value) : "";
}

/// The papers that report something for a row.
std::string papers_of(const ResultRow& row) {
  std::string text;
  for (const PublishedValue& one : row.published)
    text += (text.empty() ? "" : "; ") + one.paper + " (" + one.model + ")";
  return text;
}

/// Of a row about edits, in the order of the header.
std::vector<std::string> records_fields(const ResultRow& row) {
  const EvalScope& scope = row.scope;
  if (scope.order.empty()) return {"", "", "", "", "", "", ""};
  return {std::to_string(scope.batch),
          std::to_string(scope.records),
          scope.order,
          number(scope.seed),
          row.num_seeds > 0 ? std::to_string(row.num_seeds) : "",
          number(row.spread),
          number(scope.run_seed)};
}

}  // namespace

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (const std::string& field : fields) {
    if (&field != &fields.front()) line += ',';
    if (field.find_first_of(",\"\r\n") == std::string::npos) {
      line += field;
      continue;
    }
    line += '"';
    for (const char c : field) line.append(c == '"' ? 2 : 1, c);
    line += '"';
  }
  return line + "\r\n";
}

std::string results_csv(std::span<const RunResults> runs) {
  const std::vector<std::string> header{
      "run",       "stage",    "evaluation",    "benchmark",     "phase",  "mode",  "size",
      "eval_when", "method",   "edit_language", "test_language", "metric", "value", "low",
      "high",      "n",        "batch",         "records",       "order",  "seed",  "seeds",
      "spread",    "run_seed", "published",     "published_by"};
  std::string text = csv_line(header);
  for (const RunResults& run : runs) {
    for (const Evaluation& evaluation : run.evaluations) {
      for (const ResultRow& row : evaluation.rows) {
        std::vector<std::string> fields{run.name,
                                        evaluation.stage,
                                        evaluation.label,
                                        row.scope.benchmark,
                                        row.scope.phase,
                                        row.scope.mode,
                                        std::to_string(row.scope.size),
                                        row.scope.eval_when,
                                        row.scope.method,
                                        row.edit_language,
                                        row.test_language,
                                        row.metric,
                                        number(row.value),
                                        number(row.low),
                                        number(row.high),
                                        std::to_string(row.n)};
        const std::vector<std::string> more = records_fields(row);
        fields.insert(fields.end(), more.begin(), more.end());
        fields.push_back(published_text(row));
        fields.push_back(papers_of(row));
        text += csv_line(fields);
      }
    }
  }
  return text;
}

std::string training_csv(const TrainingCurves& curves) {
  std::vector<std::string> header{"step"};
  std::map<double, std::map<std::string, double>> steps;
  for (const auto& [key, points] : curves.series) {
    header.push_back(key);
    for (const auto& [step, value] : points) steps[step][key] = value;
  }
  std::string text = csv_line(header);
  for (const auto& [step, values] : steps) {
    std::vector<std::string> fields{number(step)};
    for (const auto& [key, points] : curves.series) {
      const auto found = values.find(key);
      fields.push_back(found == values.end() ? "" : number(found->second));
    }
    text += csv_line(fields);
  }
  return text;
}

}  // namespace xkde::report
