#include "stages/report/run_results.h"

#include <optional>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"
#include "stages/recipe/run_record.h"

namespace xkde::report {
namespace {

namespace fs = std::filesystem;

/// "03-sft" -> "sft".
std::string stage_kind(const std::string& folder) {
  const size_t dash = folder.find('-');
  return dash == std::string::npos ? "" : folder.substr(dash + 1);
}

/// Lines that are cut short end the file: a run may be writing them.
TrainingCurves read_curves(const fs::path& folder) {
  TrainingCurves curves{folder.filename().string(), {}};
  auto lines = LineReader::open_if_there(folder / recipe::kMetricsFile, FileOrigin::kOwn);
  for (std::string line; lines && lines->next(line);) {
    const Json row = Json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("step") || !row["step"].is_number()) break;
    const auto step = row["step"].get<double>();
    for (const auto& [key, value] : row.items()) {
      if (key != "step" && key != "total_steps" && value.is_number())
        curves.series[key].emplace_back(step, value.get<double>());
    }
  }
  return curves;
}

/// The stages that train, by the paper's names.
constexpr std::pair<std::string_view, std::string_view> kTrainings[] = {{"sft", "XE-IT"},
                                                                        {"orpo", "TL-PO"}};

/// Null for a stage that does not train.
const std::string_view* training_name(std::string_view kind) {
  for (const auto& [stage, name] : kTrainings) {
    if (stage == kind) return &name;
  }
  return nullptr;
}

/// "Q4_0", what the stage rounded the weights to; empty for any other stage.
std::string rounding_name(const Json& run, size_t stage) {
  const Json::json_pointer type("/recipe/stages/" + std::to_string(stage) + "/quantize/type");
  return run.contains(type) && run[type].is_string() ? run[type].get<std::string>() : "";
}

constexpr std::string_view kEdits = "edits by ";

/// Adds an `edit` stage to what changed the weights, or takes back those that it reverts: training
/// and rounding make edits part of the weights.
void take_edits(const Json& run, size_t stage, std::vector<std::string>& changed) {
  const Json::json_pointer keys("/recipe/stages/" + std::to_string(stage) + "/edit");
  if (!run.contains(keys) || !run[keys].is_object()) return;
  const auto method = run[keys].find("method");
  if (method != run[keys].end() && method->is_string()) {
    changed.push_back(concat(kEdits, method->get<std::string>()));
    return;
  }
  while (!changed.empty() && changed.back().starts_with(kEdits)) changed.pop_back();
}

/// `changed`: what the stages before did to the weights.
std::string label_of(const std::vector<std::string>& changed, const std::vector<ResultRow>& rows) {
  std::string label;
  for (const std::string& name : changed) label += (label.empty() ? "" : " + ") + name;
  if (label.empty()) label = "before training";
  const bool asks_edits = !rows.empty() && rows.front().scope.asks_edits();
  if (asks_edits && rows.front().scope.method != "xkde") label += ", " + rows.front().scope.method;
  return label;
}

}  // namespace

RunResults read_run(const fs::path& folder) {
  const std::optional<recipe::RunRecord> record = recipe::read_run_record(folder);
  XKDE_CHECK(record.has_value(), MissingInputError, folder.string(),
             ": expected the folder of a run, found no run.json in it");
  RunResults results;
  results.folder = folder;
  results.run = record->json;
  results.name = record->run_name.empty() ? folder.filename().string() : record->run_name;
  results.is_finished = record->exit_reason == "done";
  std::vector<std::string> changed;
  bool is_rounded = false;
  for (size_t i = 0; i < record->stages.size(); ++i) {
    const std::string& name = record->stages[i];
    const fs::path stage = folder / name;
    if (!is_folder(stage, FileOrigin::kOwn)) continue;
    const std::string kind = stage_kind(name);
    if (const std::string_view* training = training_name(kind)) {
      results.trainings.push_back(read_curves(stage));
      changed.emplace_back(*training);
      is_rounded = false;
    }
    take_edits(record->json, i, changed);
    if (const std::string type = rounding_name(record->json, i); !type.empty()) {
      changed.push_back(type);
      is_rounded = true;
    }
    const fs::path file = stage / recipe::kResultsFile;
    if (kind != "evaluate" && kind != "capability") continue;
    const auto text = text_if_there(file, FileOrigin::kOwn);
    if (!text) continue;
    Evaluation evaluation;
    evaluation.stage = name;
    evaluation.rows = parse_results(parse_json(*text, file.string()), file.string());
    evaluation.label = label_of(changed, evaluation.rows);
    evaluation.is_rounded = is_rounded;
    const fs::path cost = stage / recipe::kCostFile;
    if (const auto told = text_if_there(cost, FileOrigin::kOwn))
      evaluation.cost = parse_json(*told, cost.string());
    const fs::path statistics = stage / recipe::kStatisticsFile;
    if (const auto told = text_if_there(statistics, FileOrigin::kOwn))
      evaluation.agreement =
          parse_agreement(parse_json(*told, statistics.string()), statistics.string());
    results.evaluations.push_back(std::move(evaluation));
  }
  return results;
}

}  // namespace xkde::report
