#include "stages/run/artifacts.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace xkde::recipe {

namespace fs = std::filesystem;

void Artifacts::add(ArtifactKind kind, size_t stage, fs::path file) {
  entries_.push_back({kind, stage, std::move(file)});
}

const fs::path& Artifacts::file(ArtifactKind kind) const {
  const auto last = std::find_if(entries_.rbegin(), entries_.rend(),
                                 [kind](const Entry& entry) { return entry.kind == kind; });
  XKDE_CHECK(last != entries_.rend(), InternalError, "artifacts: no stage left a file of kind ",
             static_cast<int>(kind));
  return last->file;
}

std::vector<fs::path> Artifacts::files(ArtifactKind kind) const {
  std::vector<fs::path> files;
  for (const Entry& entry : entries_) {
    if (entry.kind == kind) files.push_back(entry.file);
  }
  return files;
}

std::optional<fs::path> Artifacts::left_by(size_t stage) const {
  for (const Entry& entry : entries_) {
    if (entry.stage == stage) return entry.file;
  }
  return std::nullopt;
}

}  // namespace xkde::recipe
