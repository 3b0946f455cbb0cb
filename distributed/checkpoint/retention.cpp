#include "distributed/checkpoint/retention.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "core/io/file_reader.h"
#include "core/io/json_file.h"
#include "distributed/checkpoint/manifest.h"

namespace xkde::dist {

namespace fs = std::filesystem;

std::string named_by(const fs::path& root, const char* file) {
  const std::string text = text_if_there(root / file, FileOrigin::kOwn).value_or("");
  const std::string name = text.substr(0, text.find('\n'));
  return step_of(name) >= 0 ? name : "";
}

bool is_best(const fs::path& root, const std::string& name, double score) {
  const std::string best = named_by(root, kBestFile);
  if (best.empty() || best == name) return true;
  const auto text = text_if_there(root / best / kStateFile, FileOrigin::kOwn);
  const Json state = Json::parse(text.value_or(""), nullptr, /*allow_exceptions=*/false);
  if (!state.is_object() || !state.contains("score") || !state["score"].is_number()) return true;
  return score < state["score"].get<double>();
}

void remove_leftovers(const fs::path& root) {
  std::vector<fs::path> leftovers;
  for (const fs::path& entry : entries_of(root, FileOrigin::kOwn)) {
    const std::string name = entry.filename().string();
    const bool ours =
        name.starts_with("step-") || name.starts_with(kLatestFile) || name.starts_with(kBestFile);
    if (ours && name.ends_with(kTemporary)) leftovers.push_back(entry);
  }
  for (const fs::path& path : leftovers) fs::remove_all(path);
}

void remove_old(const fs::path& root, int64_t keep_last) {
  std::vector<int64_t> steps;
  for (const fs::path& entry : entries_of(root, FileOrigin::kOwn)) {
    const int64_t step = step_of(entry.filename().string());
    if (step >= 0) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  const std::string latest = named_by(root, kLatestFile);
  const std::string best = named_by(root, kBestFile);
  for (size_t i = static_cast<size_t>(keep_last); i < steps.size(); ++i) {
    const std::string name = folder_name(steps[i]);
    if (name == latest || name == best) continue;
    // Under another name first: a half-removed folder must not pass for a damaged checkpoint.
    const fs::path retired = root / (name + kTemporary);
    rename_file(root / name, retired);
    fs::remove_all(retired);
  }
}

}  // namespace xkde::dist
