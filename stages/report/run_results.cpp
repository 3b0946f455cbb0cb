#include "stages/report/run_results.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde::report {
namespace {

namespace fs = std::filesystem;

/// "03-sft" -> "sft".
std::string stage_kind(const std::string& folder) {
  const size_t dash = folder.find('-');
  return dash == std::string::npos ? "" : folder.substr(dash + 1);
}

bool is_stage_folder(const fs::path& path) {
  const std::string name = path.filename().string();
  const size_t digits = name.find_first_not_of("0123456789");
  return digits != std::string::npos && digits >= 2 && name[digits] == '-';
}

std::vector<fs::path> stage_folders(const fs::path& run) {
  std::vector<fs::path> folders;
  for (const fs::path& entry : entries_of(run, FileOrigin::kOwn)) {
    std::error_code ignored;
    if (is_stage_folder(entry) && fs::is_directory(entry, ignored)) folders.push_back(entry);
  }
  return folders;
}

/// Lines that are cut short end the file: a run may be writing them.
TrainingCurves read_curves(const fs::path& folder) {
  TrainingCurves curves{folder.filename().string(), {}};
  auto lines = LineReader::open_if_there(folder / "metrics.jsonl", FileOrigin::kOwn);
  for (std::string line; lines && lines->next(line);) {
    const Json row = Json::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("step") || !row["step"].is_number()) break;
    const auto step = row["step"].get<double>();
    for (const auto& [key, value] : row.items()) {
      if (key != "step" && value.is_number())
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

/// `trained`: names of the trainings before.
std::string label_of(const std::vector<std::string_view>& trained,
                     const std::vector<ResultRow>& rows) {
  std::string label;
  for (const std::string_view name : trained) label.append(label.empty() ? "" : " + ").append(name);
  if (label.empty()) label = "before training";
  if (!rows.empty() && rows.front().scope.method != "xkde")
    label += ", " + rows.front().scope.method;
  return label;
}

}  // namespace

RunResults read_run(const fs::path& folder) {
  XKDE_CHECK(is_there(folder / "run.json", FileOrigin::kOwn), MissingInputError, folder.string(),
             ": expected the folder of a run, found no run.json in it");
  RunResults results;
  results.folder = folder;
  results.run = read_json_file(folder / "run.json");
  XKDE_CHECK(results.run.is_object(), DataError, (folder / "run.json").string(),
             ": expected an object, found a value of type ", results.run.type_name());
  results.name = results.run.value("run_name", folder.filename().string());
  results.is_finished = results.run.value("exit_reason", "") == "done";
  std::vector<std::string_view> trained;
  for (const fs::path& stage : stage_folders(folder)) {
    const std::string kind = stage_kind(stage.filename().string());
    if (const std::string_view* name = training_name(kind)) {
      results.trainings.push_back(read_curves(stage));
      trained.push_back(*name);
    }
    const fs::path file = stage / "results.json";
    if (kind != "evaluate" || !is_there(file, FileOrigin::kOwn)) continue;
    Evaluation evaluation;
    evaluation.stage = stage.filename().string();
    evaluation.rows = parse_results(read_json_file(file), file.string());
    evaluation.label = label_of(trained, evaluation.rows);
    results.evaluations.push_back(std::move(evaluation));
  }
  return results;
}

}  // namespace xkde::report
