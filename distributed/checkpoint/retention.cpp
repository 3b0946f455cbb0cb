#include "distributed/checkpoint/retention.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "core/io/durable_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "distributed/checkpoint/manifest.h"

namespace xkde::dist {

namespace fs = std::filesystem;
namespace {

/// Of a checkpoint's state.json; nothing where it tells none.
std::optional<double> score_of(const fs::path& folder) {
  const auto text = text_if_there(folder / kStateFile, FileOrigin::kOwn);
  const Json state = Json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("score") || !state["score"].is_number()) return {};
  return state["score"].get<double>();
}

/// The steps of the folders under a final name up to `last`, newest first.
std::vector<int64_t> steps_in(const fs::path& root,
                              int64_t last = std::numeric_limits<int64_t>::max()) {
  std::vector<int64_t> steps;
  for (const fs::path& entry : entries_of(root, FileOrigin::kOwn)) {
    const int64_t step = step_of(entry.filename().string());
    if (step >= 0 && step <= last) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  return steps;
}

std::string best_of(const fs::path& root, const std::vector<int64_t>& steps) {
  std::string best;
  std::optional<double> lowest;
  for (const int64_t step : steps) {
    const auto score = score_of(root / folder_name(step));
    if (!score || (lowest && *score > *lowest)) continue;
    lowest = score;
    best = folder_name(step);
  }
  return best;
}

void point(const fs::path& root, const char* pointer, const std::string& name) {
  if (name.empty() || named_by(root, pointer) == name) return;
  const fs::path temporary = root / (std::string(pointer) + kTemporary);
  write_durable(temporary, name + "\n");
  rename_file(temporary, root / pointer);
  sync_path(root);
}

/// Removes all but the first `keep_last` of `steps` and those that LATEST and BEST name.
void remove_beyond(const fs::path& root, const std::vector<int64_t>& steps, int64_t keep_last) {
  const std::string latest = named_by(root, kLatestFile);
  const std::string best = named_by(root, kBestFile);
  for (size_t i = static_cast<size_t>(keep_last); i < steps.size(); ++i) {
    const std::string name = folder_name(steps[i]);
    if (name == latest || name == best) continue;
    // Under another name first: a half-removed folder must not pass for a damaged checkpoint.
    const fs::path retired = root / (name + kTemporary);
    rename_file(root / name, retired);
    sync_path(root);  // a power cut must not bring it back
    remove_tree(retired);
    sync_path(root);
  }
}

}  // namespace

std::string named_by(const fs::path& root, const char* file) {
  const std::string text = text_if_there(root / file, FileOrigin::kOwn).value_or("");
  const std::string name = text.substr(0, text.find('\n'));
  return step_of(name) >= 0 ? name : "";
}

bool is_best(const fs::path& root, const std::string& name, double score) {
  const std::string best = named_by(root, kBestFile);
  if (best.empty() || best == name) return true;
  const auto lowest = score_of(root / best);
  return !lowest || score < *lowest;
}

void remove_leftovers(const fs::path& root) {
  std::vector<fs::path> leftovers;
  for (const fs::path& entry : entries_of(root, FileOrigin::kOwn)) {
    const std::string name = entry.filename().string();
    const bool ours =
        name.starts_with("step-") || name.starts_with(kLatestFile) || name.starts_with(kBestFile);
    if (ours && name.ends_with(kTemporary)) leftovers.push_back(entry);
  }
  for (const fs::path& path : leftovers) remove_tree(path);
}

void finish_broken_save(const fs::path& root, const std::string& newest, int64_t keep_last,
                        bool keeps_best) {
  const std::vector<int64_t> steps = steps_in(root, step_of(newest));
  remove_leftovers(root);
  if (keeps_best) point(root, kBestFile, best_of(root, steps));
  point(root, kLatestFile, newest);
  if (keep_last > 0) remove_beyond(root, steps, keep_last);
}

void remove_old(const fs::path& root, int64_t keep_last) {
  remove_beyond(root, steps_in(root), keep_last);
}

}  // namespace xkde::dist
