#include "stages/report/cost_table.h"

#include <functional>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "stages/recipe/run_record.h"
#include "stages/report/csv.h"

namespace xkde::report {
namespace {

constexpr double kMilli = 1e3, kMega = 1e6, kGiga = 1e9;

/// A column of both tables: a key of cost.json, and how people see it.
struct Column {
  const char* key;
  const char* title;
  double scale;  ///< of the shown value; 0: an integer
};
constexpr Column kColumns[] = {{"ranks", "ranks", 0},
                               {"threads", "threads", 0},
                               {"edits", "edits", 0},
                               {"questions", "questions", 0},
                               {"preparation_seconds", "preparation, s", 1},
                               {"seconds_per_edit", "an edit, ms", kMilli},
                               {"seconds_per_question", "a question, ms", kMilli},
                               {"state_bytes", "state, MB", 1 / kMega},
                               {"peak_bytes", "peak, GB", 1 / kGiga}};

std::string shown(const Json& value, const Column& column) {
  if (value.is_null()) return "–";
  if (column.scale == 0) return std::to_string(value.get<int64_t>());
  return fmt::format("{:.3g}", value.get<double>() * column.scale);
}

std::string written(const Json& value, const Column& /*column*/) {
  return value.is_null() ? "" : value.dump();
}

/// Calls `add` with the first cells and the others of each evaluation that has a cost.
void each_cost(std::span<const RunResults> runs, std::string (*cell)(const Json&, const Column&),
               const std::function<void(const RunResults&, const Evaluation&,
                                        std::vector<std::string>)>& add) {
  for (const RunResults& run : runs) {
    for (const Evaluation& evaluation : run.evaluations) {
      if (evaluation.cost.is_null()) continue;
      std::vector<std::string> cells;
      try {
        for (const Column& column : kColumns)
          cells.push_back(cell(evaluation.cost.at(column.key), column));
      } catch (const Json::exception&) {
        throw DataError(concat((run.folder / evaluation.stage / recipe::kCostFile).string(),
                               ": expected what an evaluation took, found another object"));
      }
      add(run, evaluation, std::move(cells));
    }
  }
}

}  // namespace

TextGrid cost_grid(std::span<const RunResults> runs) {
  TextGrid grid{{"evaluation"}};
  for (const Column& column : kColumns) grid.front().emplace_back(column.title);
  each_cost(
      runs, shown,
      [&](const RunResults& run, const Evaluation& evaluation, std::vector<std::string> cells) {
        std::string name = evaluation.stage + ": " + evaluation.label;
        if (runs.size() > 1) name = run.name + ": " + name;
        cells.insert(cells.begin(), std::move(name));
        grid.push_back(std::move(cells));
      });
  return grid;
}

std::string cost_csv(std::span<const RunResults> runs) {
  std::vector<std::string> header{"run", "stage", "evaluation"};
  for (const Column& column : kColumns) header.emplace_back(column.key);
  std::string text = csv_line(header);
  each_cost(
      runs, written,
      [&](const RunResults& run, const Evaluation& evaluation, std::vector<std::string> cells) {
        cells.insert(cells.begin(), {run.name, evaluation.stage, evaluation.label});
        text += csv_line(cells);
      });
  return text;
}

}  // namespace xkde::report
