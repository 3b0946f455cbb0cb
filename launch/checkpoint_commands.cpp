#include "launch/checkpoint_commands.h"

#include <cstdint>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "distributed/checkpoint.h"

namespace xkde {
namespace {

namespace fs = std::filesystem;

uintmax_t bytes_in(const fs::path& folder) {
  uintmax_t bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  return bytes;
}

void require_folder(const fs::path& path) {
  XKDE_CHECK(fs::is_directory(path), MissingInputError, path.string(),
             ": expected a folder of checkpoints, found none");
}

}  // namespace

std::string list_checkpoints(const fs::path& path) {
  require_folder(path);
  std::string latest;
  std::getline(std::ifstream(path / "LATEST"), latest);
  std::set<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename().string();
    const bool complete = name.starts_with("step-") && !name.ends_with(".tmp");
    if (entry.is_directory() && complete) folders.insert(entry.path());
  }
  XKDE_CHECK(!folders.empty(), MissingInputError, path.string(),
             ": expected step-* folders, found none");
  std::string text;
  for (const fs::path& folder : folders) {
    const std::string name = folder.filename().string();
    text += name + "  " + std::to_string(bytes_in(folder)) + " bytes" +
            (name == latest ? "  LATEST" : "") + "\n";
  }
  return text;
}

std::string verify_checkpoints(const fs::path& path) {
  require_folder(path);
  const auto newest = dist::newest_verified_checkpoint(path);
  XKDE_CHECK(newest.has_value(), MissingInputError, path.string(),
             ": expected step-* folders, found none");
  return newest->string() + ": verified\n";
}

}  // namespace xkde
