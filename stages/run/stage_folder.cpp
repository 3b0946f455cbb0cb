#include "stages/run/stage_folder.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/io/atomic_file.h"
#include "core/io/file.h"
#include "core/io/file_reader.h"
#include "core/io/sha256.h"
#include "stages/recipe/run_record.h"
#include "stages/run/output_path.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFingerprint = "FINGERPRINT";
constexpr const char* kDone = "DONE";

/// FINGERPRINT and DONE, and what a kill leaves while one of them is written.
bool is_mark(const std::string& name) {
  for (const std::string& mark : {std::string(kFingerprint), std::string(kDone)}) {
    if (name == mark) return true;
    const std::string temporary = mark + ".tmp";
    const bool is_temporary = name.starts_with(temporary) &&
                              name.find_first_not_of("0123456789", temporary.size()) == name.npos;
    if (is_temporary) return true;
  }
  return false;
}

/// The number of a folder's name; nothing where it is no folder of the stage.
std::optional<int> number_of(const std::string& name, std::string_view stage) {
  const size_t digits = name.find('-');
  if (!is_stage_folder_name(name) || digits > 9) return std::nullopt;
  if (std::string_view(name).substr(digits + 1) != stage) return std::nullopt;
  return std::stoi(name.substr(0, digits));
}

}  // namespace

Fingerprint make_fingerprint(Json covers) {
  std::string id = sha256_hex(covers.dump());
  return {std::move(id), std::move(covers)};
}

std::string origin_id(const Json& covers, std::string_view stage) {
  const std::string own = std::string(stage) + ".";
  Json above = Json::object();
  for (const auto& [key, value] : covers.items()) {
    if (!key.starts_with(own)) above[key] = value;
  }
  return sha256_hex(above.dump());
}

std::vector<std::string> stage_folders_of(const fs::path& run, std::string_view stage) {
  std::vector<std::pair<int, std::string>> found;
  for (const std::string& name : names_in(run)) {
    const std::optional<int> number = number_of(name, stage);
    if (number && is_folder(run / name, FileOrigin::kOwn)) found.emplace_back(*number, name);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> names;
  for (auto& [number, name] : found) names.push_back(std::move(name));
  return names;
}

std::optional<Fingerprint> fingerprint_in(const fs::path& folder) {
  const Json json = Json::parse(text_of_file(folder / kFingerprint), nullptr, false);
  if (!json.is_object() || !json.contains("id") || !json.contains("covers")) return std::nullopt;
  if (!json["id"].is_string() || !json["covers"].is_object()) return std::nullopt;
  return Fingerprint{json["id"].get<std::string>(), json["covers"]};
}

bool holds_work(const fs::path& folder) {
  const std::vector<std::string> names = names_in(folder);
  return !std::all_of(names.begin(), names.end(), is_mark);
}

bool is_done(const fs::path& folder) { return is_there(folder / kDone, FileOrigin::kOwn); }

void open_stage_folder(const fs::path& folder, const Fingerprint& fingerprint) {
  const std::optional<Fingerprint> before = fingerprint_in(folder);
  if (before && before->id == fingerprint.id) return;
  XKDE_CHECK(!holds_work(folder), InternalError, folder.string(),
             ": expected a folder of its own for a new stage, found one with files");
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) fs::remove(folder / kDone, error);
  XKDE_CHECK(!error, IoError, folder.string(), ": expected to create a folder, found ",
             error.message());
  const Json json{{"id", fingerprint.id}, {"covers", fingerprint.covers}};
  write_file_atomically(folder / kFingerprint, json.dump(1) + "\n");
  sync_folder_of(folder);
}

void finish_stage_folder(const fs::path& folder, const Fingerprint& fingerprint) {
  write_file_atomically(folder / kDone, fingerprint.id + "\n");
}

}  // namespace xkde::recipe
