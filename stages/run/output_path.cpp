#include "stages/run/output_path.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/base/error.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "stages/recipe/recipe_inputs.h"
#include "stages/recipe/run_record.h"
#include "stages/run/fresh_folder.h"
#include "stages/run/run_folder.h"
#include "stages/run/run_lock.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// What a run writes into its folder, beside the folders of its stages.
constexpr std::string_view kNamesOfARun[] = {kRunFile,      kDigestsFile,    kLockFile,
                                             kHolderFile,   kReportFile,     kResultsTableFile,
                                             kReportFolder, kVerdictsFolder, kLogsFolder};
/// Of these, what is replaced at the end of a run.
constexpr std::string_view kReplaced[] = {kReportFile, kResultsTableFile, kReportFolder};

std::optional<fs::path> try_normalised(const fs::path& path, std::error_code& error) {
  fs::path whole = fs::absolute(path, error);
  if (!error) whole = fs::weakly_canonical(whole, error);
  if (error) return std::nullopt;
  return whole.has_filename() ? whole : whole.parent_path();
}

/// Whether `path` is `folder` or lies in it. Both are normalised; a folder that is mounted twice is
/// known by its inode.
bool is_within(const fs::path& path, const fs::path& folder) {
  fs::path part = path;
  while (true) {
    if (part == folder || is_same_place(part, folder, FileOrigin::kOwn)) return true;
    if (part == part.parent_path()) return false;
    part = part.parent_path();
  }
}

/// "is", "lies in", "holds", or "" where the paths have nothing to do with each other.
std::string_view relation(const fs::path& one, const fs::path& other) {
  const bool is_in = is_within(one, other);
  const bool holds = is_within(other, one);
  if (is_in && holds) return "is";
  if (is_in) return "lies in";
  return holds ? "holds" : "";
}

void refuse(const fs::path& path, std::string_view expected, const std::string& found) {
  throw ConfigError(concat(path.string(), ": expected ", expected, ", found ", found));
}

/// What is in the way of a new file or folder at `path`: a link that leads nowhere, or a file
/// above; "" where nothing is.
std::string obstacle_on_the_way(const fs::path& path) {
  if (kind_of_name(path, FileOrigin::kOwn) == PathKind::kLink) return "a link that leads nowhere";
  fs::path above = path.parent_path();
  while (!above.empty() && !is_there(above, FileOrigin::kOwn)) {
    if (above == above.parent_path()) return "";
    above = above.parent_path();
  }
  const bool leads_on = above.empty() || is_folder(above, FileOrigin::kOwn);
  return leads_on ? "" : "the file " + above.string() + " on the way to it";
}

void check_run_folder(const fs::path& folder) {
  constexpr std::string_view kExpected = "a folder for the run, or nothing there";
  const std::string obstacle = obstacle_on_the_way(folder);
  if (!obstacle.empty()) refuse(folder, kExpected, obstacle);
  const PathKind kind = kind_at(folder, FileOrigin::kOwn);
  if (kind == PathKind::kNothing) return;
  if (kind != PathKind::kFolder) refuse(folder, kExpected, "a file");
  const fs::path run = folder / kRunFile;
  if (kind_of_name(run, FileOrigin::kOwn) != PathKind::kNothing) {
    const Json json = Json::parse(text_of_file(run), nullptr, false);
    if (!json.is_object() || !json.contains("exit_reason"))
      refuse(run, "what a run of this program wrote", "another file; take another output_dir");
    return;
  }
  for (const std::string_view name : kReplaced) {
    if (kind_of_name(folder / name, FileOrigin::kOwn) != PathKind::kNothing)
      refuse(folder / name, "no such name in a folder that no run has written to",
             "one; move it, or take another output_dir");
  }
}

/// An export may lie in the run's folder, but not where the run writes by itself.
void check_beside_run(const fs::path& target, const fs::path& run) {
  constexpr std::string_view kExpected = "a folder apart from what the run writes in output_dir";
  if (is_within(run, target)) refuse(target, kExpected, "one that holds " + run.string());
  if (!is_within(target, run)) return;
  const std::string name = target.lexically_relative(run).begin()->string();
  if (is_name_of_a_run(name)) refuse(target, kExpected, (run / name).string());
}

}  // namespace

fs::path normalised(const fs::path& path) {
  std::error_code error;
  const std::optional<fs::path> found = try_normalised(path, error);
  XKDE_CHECK(found.has_value(), ConfigError, path.string(),
             ": expected a path that can be followed, found ", error.message());
  return *found;
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  if (kind_at(folder, FileOrigin::kOwn) == PathKind::kNothing) return names;
  for (const fs::path& entry : entries_of(folder, FileOrigin::kOwn))
    names.push_back(entry.filename().string());
  return names;
}

void check_apart(const fs::path& output, std::span<const NamedPath> inputs) {
  const fs::path own = normalised(output);
  for (const auto& [key, path] : inputs) {
    std::error_code error;
    const std::optional<fs::path> input = try_normalised(path, error);
    if (!input || !is_there(*input, FileOrigin::kInput)) continue;
    const std::string_view how = relation(own, *input);
    if (!how.empty())
      refuse(output, "a path apart from all inputs",
             concat("one that ", how, " ", key, " (", path.string(), ")"));
  }
}

void check_file_or_free(const fs::path& file) {
  constexpr std::string_view kExpected = "a file, or nothing there";
  const fs::path path = normalised(file);
  const std::string obstacle = obstacle_on_the_way(path);
  if (!obstacle.empty()) refuse(file, kExpected, obstacle);
  const PathKind kind = kind_at(path, FileOrigin::kOwn);
  if (kind == PathKind::kFolder) refuse(file, kExpected, "a folder");
  if (kind == PathKind::kOther) refuse(file, kExpected, "something else");
}

bool is_name_of_a_run(const std::string& name) {
  return is_stage_folder_name(name) ||
         std::ranges::find(kNamesOfARun, name) != std::end(kNamesOfARun);
}

void check_output(const Recipe& recipe, const NamedPath& output) {
  const fs::path path = normalised(output.path);
  check_apart(output.path, inputs_of(recipe));
  const std::vector<NamedPath> outputs = outputs_of(recipe);
  const NamedPath& run = outputs.front();
  if (output.key == run.key) {
    check_run_folder(path);
    return;
  }
  const std::vector<NamedPath> self{{"the recipe", recipe.origin.file}};
  check_apart(output.path, self);
  if (is_within(normalised("."), path))
    refuse(output.path, "a folder to export to", "one that is or holds the current folder");
  check_beside_run(path, normalised(run.path));
  for (const NamedPath& other : std::span(outputs).subspan(1)) {
    if (other.key == output.key) break;  // of two that are too close the second is refused
    const std::string_view how = relation(path, normalised(other.path));
    if (!how.empty())
      refuse(output.path, "a folder apart from all other exports",
             concat("one that ", how, " ", other.key, " (", other.path.string(), ")"));
  }
  const std::string obstacle = obstacle_on_the_way(path);
  if (!obstacle.empty()) refuse(output.path, "a folder to export to", obstacle);
  check_replaceable(path);
}

void check_outputs(const Recipe& recipe) {
  for (const NamedPath& output : outputs_of(recipe)) {
    try {
      check_output(recipe, output);
    } catch (const ConfigError& error) {
      throw ConfigError(
          concat(recipe.origin.place_of(output.key), ": ", output.key, ": ", error.what()));
    }
  }
}

}  // namespace xkde::recipe
