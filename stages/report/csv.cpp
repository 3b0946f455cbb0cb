#include "stages/report/csv.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace xkde::report {
namespace {

std::string number(double value) { return fmt::format("{:.10g}", value); }

std::string number(const std::optional<double>& value) { return value ? number(*value) : ""; }

/// Whether seeds drew the records of an evaluation.
bool is_drawn(const Evaluation& evaluation) {
  return !evaluation.rows.empty() && evaluation.rows.front().scope.records > 0;
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
  const bool has_seeds = std::any_of(runs.begin(), runs.end(), [](const RunResults& run) {
    return std::any_of(run.evaluations.begin(), run.evaluations.end(), is_drawn);
  });
  std::vector<std::string> header{
      "run",    "stage",         "evaluation",    "benchmark", "phase", "mode", "size", "eval_when",
      "method", "edit_language", "test_language", "metric",    "value", "low",  "high", "n"};
  if (has_seeds) header.insert(header.end(), {"seed", "seeds", "spread"});
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
        if (has_seeds) {
          fields.push_back(row.scope.seed ? std::to_string(*row.scope.seed) : "");
          fields.push_back(row.num_seeds > 0 ? std::to_string(row.num_seeds) : "");
          fields.push_back(number(row.spread));
        }
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
